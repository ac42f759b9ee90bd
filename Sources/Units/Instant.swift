/// A point in time: whole nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Simulated and real time share this type and its origin, so a bill, a journal and a report from either world
/// carry dates. Nothing below `Calibration` and `Live` may read a clock: an instant is passed in.
public struct Instant: Hashable, Sendable {
    /// Nanoseconds since the Unix epoch. Range: years 1678 to 2262.
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// 1970-01-01T00:00:00Z.
    @inlinable public static var epoch: Instant { Instant(nanoseconds: 0) }
    /// Later than any instant a run reaches; a timer set to it never fires.
    @inlinable public static var never: Instant { Instant(nanoseconds: .max) }
}

extension Instant: Comparable {
    @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: Instant, b: TimeSpan) -> Instant {
        Instant(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    @inlinable public static func - (a: Instant, b: TimeSpan) -> Instant {
        Instant(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
    @inlinable public static func - (a: Instant, b: Instant) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
    @inlinable public static func += (a: inout Instant, b: TimeSpan) { a = a + b }
}

// MARK: - Calendar text

extension Instant: CustomStringConvertible, LosslessStringConvertible {
    /// Reads an ISO 8601 date or UTC time: `2026-03-02`, `2026-03-02T07:30:00Z`, `2026-03-02T07:30:00.25Z`.
    ///
    /// A space may stand for the `T`. Returns `nil` for a local time, a date that does not exist, or a year outside
    /// 1970 to 2261.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[range] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int(byte - 48)
            }
            return value
        }
        func has(_ character: Character, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7),
            let day = number(8..<10), (1970...2261).contains(year), (1...12).contains(month), day >= 1,
            day <= CivilDate.daysIn(month: month, year: year)
        else { return nil }
        let days = Int64(CivilDate.daysSinceEpoch(year: year, month: month, day: day))
        if bytes.count == 10 {
            self.init(nanoseconds: days * 86_400_000_000_000)
            return
        }
        guard has("T", at: 10) || has(" ", at: 10), let hour = number(11..<13), has(":", at: 13),
            let minute = number(14..<16), has(":", at: 16), let second = number(17..<19),
            hour < 24, minute < 60, second < 60, bytes.last == UInt8(ascii: "Z")
        else { return nil }
        var fraction: Int64 = 0
        if has(".", at: 19) {
            let digits = bytes[20..<(bytes.count - 1)]
            guard (1...9).contains(digits.count), let value = number(20..<(bytes.count - 1)) else { return nil }
            fraction = Int64(value)
            for _ in digits.count..<9 { fraction *= 10 }
        } else if bytes.count != 20 {
            return nil
        }
        let seconds = days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        self.init(nanoseconds: seconds * 1_000_000_000 + fraction)
    }

    /// ISO 8601 in UTC, such as `2026-03-02T07:30:00Z`, with a fraction only where there is one.
    public var description: String {
        let day = nanoseconds.quotientFloored(by: 86_400_000_000_000)
        let inDay = nanoseconds - day * 86_400_000_000_000
        let (year, month, dayOfMonth) = CivilDate.civil(daysSinceEpoch: Int(day))
        let seconds = inDay / 1_000_000_000
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var text = "\(padded(Int64(year), 4))-\(padded(Int64(month), 2))-\(padded(Int64(dayOfMonth), 2))T"
        text += "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        let fraction = inDay % 1_000_000_000
        if fraction > 0 {
            var digits = padded(fraction, 9)
            while digits.hasSuffix("0") { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }
}

extension Instant: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Instant(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no UTC time such as '2026-03-02T07:30:00Z'")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Days of the proleptic Gregorian calendar.
///
/// - Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March, so that a leap day
///   is the last day of its year.
enum CivilDate {
    static func daysIn(month: Int, year: Int) -> Int {
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = y.quotientFloored(by: 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func civil(daysSinceEpoch: Int) -> (year: Int, month: Int, day: Int) {
        let z = daysSinceEpoch + 719_468
        let era = z.quotientFloored(by: 146_097)
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

extension FixedWidthInteger {
    /// The quotient rounded towards minus infinity.
    ///
    /// - Precondition: `divisor` is positive.
    func quotientFloored(by divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
