import Units

/// What the text of a scalar must be, and what it then means.
struct ScalarSchema<Value> {
    /// Why a text is not a value: the rest of the sentence that starts with the key and the text, and how to write it.
    struct Refusal: Error {
        var reason: String
        var fix: String
    }

    let read: (String) -> Result<Value, Refusal>
    /// Whether only whole numbers are values.
    var isWhole = false

    /// A schema whose every refusal reads the same.
    init(reason: String, fix: String, _ read: @escaping (String) -> Value?) {
        self.read = { text in
            read(text).map { .success($0) } ?? .failure(Refusal(reason: reason, fix: fix))
        }
    }

    init(read: @escaping (String) -> Result<Value, Refusal>) { self.read = read }
}

extension ScalarSchema<String> {
    /// Any text but none.
    static var text: ScalarSchema { ScalarSchema(reason: "is empty", fix: "write a text") { $0.isEmpty ? nil : $0 } }

    /// A name that files and columns can carry: letters, digits, `-`, `_`, `.`, up to 64.
    static var name: ScalarSchema {
        ScalarSchema(
            reason: "is no name", fix: "write letters, digits, '-', '_' or '.', at most 64, such as 'chat-h100'"
        ) {
            let fits = $0.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
            return fits && (1...64).contains($0.utf8.count) ? $0 : nil
        }
    }
}

extension ScalarSchema<String> {
    /// A day such as `2026-03-02`, as text.
    static var date: ScalarSchema {
        ScalarSchema(reason: "is no date", fix: "write year, month and day, such as '2026-03-02'") {
            $0.utf8.count == 10 && Instant($0) != nil ? $0 : nil
        }
    }
}

extension ScalarSchema<TimeSpan> {
    /// The longest that a duration in a scenario may be: sums and multiples of a few still fit into nanoseconds.
    private static let longest = TimeSpan.hours(24 * 3653)

    /// A duration with its unit, zero or more.
    static var duration: ScalarSchema {
        ScalarSchema { text in
            let fix = "write a duration with its unit, for example '90s' or '1m30s'"
            if let value = TimeSpan(text) {
                if value <= longest { return .success(value) }
                return .failure(Refusal(reason: "is longer than ten years", fix: fix))
            }
            if text.hasPrefix("-") { return .failure(Refusal(reason: "is negative", fix: fix)) }
            if Double(text) != nil { return .failure(Refusal(reason: "has no unit", fix: fix)) }
            return .failure(Refusal(reason: "is no duration", fix: fix))
        }
    }

    /// A duration above zero.
    static var positiveDuration: ScalarSchema {
        ScalarSchema { text in
            duration.read(text).flatMap {
                $0 > .zero
                    ? .success($0) : .failure(Refusal(reason: "is not above zero", fix: "write for example '15s'"))
            }
        }
    }
}

extension ScalarSchema<Instant> {
    static var instant: ScalarSchema {
        ScalarSchema(reason: "is no date or UTC time", fix: "write for example '2026-03-02' or '2026-03-02T07:30:00Z'")
        {
            Instant($0)
        }
    }
}

extension ScalarSchema<Int64> {
    /// A whole number within `range`; `k` and `M` multiply by a thousand and a million, so `14k` is 14,000.
    static func count(_ range: ClosedRange<Int64>) -> ScalarSchema {
        var schema = ScalarSchema { (text: String) -> Result<Int64, Refusal> in
            guard let value = wholeNumber(text) else {
                return .failure(Refusal(reason: "is no whole number", fix: "write for example '14000' or '14k'"))
            }
            guard range.contains(value) else {
                if value < 0, range.lowerBound >= 0 {
                    return .failure(Refusal(reason: "is negative", fix: "write a number from \(bounds(range))"))
                }
                return .failure(Refusal(reason: "is out of range", fix: "write a number from \(bounds(range))"))
            }
            return .success(value)
        }
        schema.isWhole = true
        return schema
    }

    private static func bounds(_ range: ClosedRange<Int64>) -> String {
        range.upperBound == .max ? "\(range.lowerBound) up" : "\(range.lowerBound) to \(range.upperBound)"
    }

    /// Digits with an optional sign, fraction and suffix, when they make a whole number.
    private static func wholeNumber(_ text: String) -> Int64? {
        var digits = Substring(text)
        var scale: Int64 = 1
        for (suffix, factor) in [("k", Int64(1000)), ("M", 1_000_000), ("G", 1_000_000_000)]
        where digits.hasSuffix(suffix) {
            (digits, scale) = (digits.dropLast(), factor)
        }
        let negative = digits.hasPrefix("-")
        if negative { digits = digits.dropFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 1 || (parts.count == 2 && scale > 1 && (1...9).contains(parts[1].utf8.count)),
            parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let whole = Int64(parts[0])
        else { return nil }
        var (value, overflow) = whole.multipliedReportingOverflow(by: scale)
        if parts.count == 2 {
            var place = scale
            for digit in parts[1].utf8 {
                guard place % 10 == 0 || digit == 48 else { return nil }
                place /= 10
                value &+= Int64(digit - 48) * place
            }
        }
        overflow = overflow || value < 0
        return overflow ? nil : (negative ? -value : value)
    }
}

extension ScalarSchema<Int64> {
    /// A number of requests with its unit, such as `19366 requests`; `k` and `M` as in a count.
    static var requests: ScalarSchema {
        ScalarSchema { text in
            let fix = "write for example '19366 requests'"
            guard text.hasSuffix(" requests") else {
                return .failure(Refusal(reason: "is no number of requests", fix: fix))
            }
            return count(1...1_000_000_000_000).read(String(text.dropLast(9)))
        }
    }
}

extension ScalarSchema<UInt64> {
    static var seed: ScalarSchema {
        ScalarSchema(reason: "is no seed", fix: "write a whole number from 0 to 18446744073709551615") {
            $0.utf8.allSatisfy { (48...57).contains($0) } ? UInt64($0) : nil
        }
    }
}

extension ScalarSchema<Bool> {
    static var flag: ScalarSchema {
        ScalarSchema(reason: "is neither true nor false", fix: "write 'true' or 'false'") {
            $0 == "true" ? true : $0 == "false" ? false : nil
        }
    }
}

extension ScalarSchema<USDPerHour> {
    /// A plain decimal number of dollars an hour, for a key that names the unit.
    static var dollarsPerHour: ScalarSchema {
        ScalarSchema { text in
            guard let value = USDPerHour(text) else {
                return .failure(
                    Refusal(
                        reason: "is no price", fix: "write plain dollars with at most nine decimals, such as '12.29'"))
            }
            guard value.nanodollars >= 0 else {
                return .failure(Refusal(reason: "is negative", fix: "write what is paid for an hour, such as '12.29'"))
            }
            return .success(value)
        }
    }

    /// An amount with its unit, such as `120 USD/h`.
    static var spending: ScalarSchema {
        ScalarSchema(reason: "is no amount per hour", fix: "write for example '120 USD/h'") { text in
            guard text.hasSuffix("USD/h") else { return nil }
            let digits = String(text.dropLast(5).reversed().drop { $0 == " " }.reversed())
            return USDPerHour(digits).flatMap { $0.nanodollars >= 0 ? $0 : nil }
        }
    }
}
