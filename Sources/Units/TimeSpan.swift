/// A length of time, in whole nanoseconds.
///
/// Eight bytes, exact under addition, and wide enough for ±292 years. It is what clocks and bills are made of;
/// estimates of a duration are `Double`s and say their unit.
public struct TimeSpan: Hashable, Sendable {
    /// The length in nanoseconds; negative when the end lies before the start.
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable public static var zero: TimeSpan { TimeSpan(nanoseconds: 0) }
    @inlinable public static func milliseconds(_ value: Int64) -> TimeSpan {
        TimeSpan(nanoseconds: value * 1_000_000)
    }
    @inlinable public static func seconds(_ value: Int64) -> TimeSpan {
        TimeSpan(nanoseconds: value * 1_000_000_000)
    }
    @inlinable public static func minutes(_ value: Int64) -> TimeSpan { .seconds(value * 60) }
    @inlinable public static func hours(_ value: Int64) -> TimeSpan { .seconds(value * 3600) }

    /// The nearest whole number of nanoseconds to an estimate in seconds.
    ///
    /// - Precondition: `value` is finite and its magnitude is below 292 years.
    public static func estimate(seconds value: Double) -> TimeSpan {
        TimeSpan(nanoseconds: Int64((value * 1e9).rounded()))
    }

    /// The length in seconds, for estimates and pictures; never for a clock or a bill.
    @inlinable public var seconds: Double { Double(nanoseconds) / 1e9 }
    /// The length in milliseconds, for estimates and pictures.
    @inlinable public var milliseconds: Double { Double(nanoseconds) / 1e6 }
}

extension TimeSpan: Comparable, AdditiveArithmetic {
    @inlinable public static func < (a: TimeSpan, b: TimeSpan) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: TimeSpan, b: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    @inlinable public static func - (a: TimeSpan, b: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
    @inlinable public static func * (a: TimeSpan, k: Int64) -> TimeSpan { TimeSpan(nanoseconds: a.nanoseconds * k) }
}

// MARK: - Text

extension TimeSpan: CustomStringConvertible, LosslessStringConvertible {
    /// Unit names and their nanoseconds, longest first. A month is no unit: its length varies.
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
    ]

    /// Reads a duration with its unit: `90s`, `1m30s`, `1.5h`, `7d`, `250ms`.
    ///
    /// Each number carries a unit (`d`, `h`, `m`, `s`, `ms`, `us`, `ns`) and units are written from large to small.
    /// Returns `nil` for a bare number, a negative value, an unknown unit, or more than 292 years.
    public init?(_ text: String) {
        var total: Int64 = 0
        var previous = Int64.max
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let scale = Self.units.first(where: { $0.name == unit })?.nanoseconds, scale < previous,
                let value = Self.scaled(digits, by: scale)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(value)
            guard !overflow else { return nil }
            total = sum
            previous = scale
        }
        self.init(nanoseconds: total)
    }

    /// `digits` × `scale`, exactly; `nil` when malformed or too large. A fraction finer than 1 ns is cut.
    private static func scaled(_ digits: Substring, by scale: Int64) -> Int64? {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int64(parts[0]) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
        guard !overflow else { return nil }
        guard parts.count == 2 else { return product }
        guard !parts[1].isEmpty, parts[1].count <= 15, let fraction = Int128(parts[1]) else { return nil }
        var divisor: Int128 = 1
        for _ in parts[1] { divisor *= 10 }
        let (sum, tooLarge) = product.addingReportingOverflow(Int64(fraction * Int128(scale) / divisor))
        return tooLarge ? nil : sum
    }

    /// The shortest exact form, such as `1m30s`; reads back to the same value when not negative.
    public var description: String {
        guard nanoseconds != 0 else { return "0s" }
        var rest = nanoseconds.magnitude
        var text = nanoseconds < 0 ? "-" : ""
        for unit in Self.units {
            let count = rest / UInt64(unit.nanoseconds)
            guard count > 0 else { continue }
            text += "\(count)\(unit.name)"
            rest -= count * UInt64(unit.nanoseconds)
        }
        return text
    }
}

extension TimeSpan: Codable {
    /// A duration is written as text with its unit, as in a scenario.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = TimeSpan(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no duration with a unit, such as '90s' or '1m30s'")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
