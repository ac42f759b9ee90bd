/// An amount of money: whole nanodollars (10⁻⁹ USD).
///
/// Fine enough for a fraction of a cent per million tokens, wide enough for nine billion dollars, and it adds exactly.
/// There is no conversion from `Double`: money enters as text and leaves as text.
public struct USD: Hashable, Sendable {
    /// The amount in nanodollars; negative for a credit.
    public var nanodollars: Int64

    @inlinable public init(nanodollars: Int64) { self.nanodollars = nanodollars }

    @inlinable public static var zero: USD { USD(nanodollars: 0) }

    /// The amount as a number of dollars, for ratios and pictures; never for a bill.
    @inlinable public var dollars: Double { Double(nanodollars) / 1e9 }
}

extension USD: Comparable, AdditiveArithmetic {
    @inlinable public static func < (a: USD, b: USD) -> Bool { a.nanodollars < b.nanodollars }
    @inlinable public static func + (a: USD, b: USD) -> USD { USD(nanodollars: a.nanodollars + b.nanodollars) }
    @inlinable public static func - (a: USD, b: USD) -> USD { USD(nanodollars: a.nanodollars - b.nanodollars) }
}

extension USD {
    /// The part `weight / total` of this amount, rounded once, half to even.
    ///
    /// - Precondition: `0 <= weight <= total`, `total > 0`, and both are below 2⁶³.
    public func share(_ weight: Int64, of total: Int64) -> USD {
        precondition(total > 0 && weight >= 0 && weight <= total, "share \(weight) of \(total)")
        return USD(nanodollars: Int64((Int128(nanodollars) * Int128(weight)).dividedHalfToEven(by: Int128(total))))
    }

    /// This amount per `quantity` units, times `scale`, rounded once, half to even: the price of a million tokens is
    /// `total.per(tokens, scale: 1_000_000)`. `nil` when nothing was consumed: no price is not a price of zero.
    public func per(_ quantity: Int64, scale: Int64 = 1) -> USD? {
        guard quantity > 0 else { return nil }
        return USD(nanodollars: Int64((Int128(nanodollars) * Int128(scale)).dividedHalfToEven(by: Int128(quantity))))
    }
}

/// A price per hour of use: whole nanodollars an hour.
public struct USDPerHour: Hashable, Sendable {
    /// Nanodollars for an hour; never negative in a price book.
    public var nanodollars: Int64

    @inlinable public init(nanodollars: Int64) { self.nanodollars = nanodollars }

    /// The price of `span`, exact in 128 bits and rounded once to a nanodollar, half to even.
    ///
    /// - Precondition: the result is below nine billion dollars.
    public func cost(of span: TimeSpan) -> USD {
        let exact = Int128(nanodollars) * Int128(span.nanoseconds)
        return USD(nanodollars: Int64(exact.dividedHalfToEven(by: 3_600_000_000_000)))
    }

    /// The price as a number of dollars an hour, for estimates and pictures.
    @inlinable public var dollarsPerHour: Double { Double(nanodollars) / 1e9 }
}

extension USDPerHour: Comparable {
    @inlinable public static func < (a: USDPerHour, b: USDPerHour) -> Bool { a.nanodollars < b.nanodollars }
}

extension Int128 {
    /// The quotient rounded to the nearest integer; a tie goes to the even one.
    ///
    /// - Precondition: `divisor` is positive.
    func dividedHalfToEven(by divisor: Int128) -> Int128 {
        var (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        if remainder < 0 {
            quotient -= 1
            remainder += divisor
        }
        let twice = remainder * 2
        if twice > divisor || (twice == divisor && quotient % 2 != 0) { quotient += 1 }
        return quotient
    }
}

// MARK: - Text

extension USD: CustomStringConvertible, LosslessStringConvertible, Codable {
    /// Reads a plain decimal number of dollars, such as `12.29` or `-0.000000001`; at most nine decimals, no sign but
    /// `-`, no currency mark, no exponent. `nil` otherwise.
    public init?(_ text: String) {
        guard let value = parseNanos(text) else { return nil }
        self.init(nanodollars: value)
    }

    /// A plain decimal number with two to nine decimals; reads back to the same amount.
    public var description: String { formatNanos(nanodollars) }

    public init(from decoder: any Decoder) throws {
        self.init(nanodollars: try decodeNanos(from: decoder, what: "amount of dollars"))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension USDPerHour: CustomStringConvertible, LosslessStringConvertible, Codable {
    /// Reads a plain decimal number of dollars per hour, as `USD` does. `nil` otherwise.
    public init?(_ text: String) {
        guard let value = parseNanos(text) else { return nil }
        self.init(nanodollars: value)
    }

    /// A plain decimal number with two to nine decimals, without the unit.
    public var description: String { formatNanos(nanodollars) }

    public init(from decoder: any Decoder) throws {
        self.init(nanodollars: try decodeNanos(from: decoder, what: "price in dollars per hour"))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

private func decodeNanos(from decoder: any Decoder, what: String) throws -> Int64 {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = parseNanos(text) else {
        throw DecodingError.dataCorruptedError(
            in: container, debugDescription: "'\(text)' is no \(what): write a plain decimal such as '12.29'")
    }
    return value
}

private func parseNanos(_ text: String) -> Int64? {
    let negative = text.hasPrefix("-")
    let parts = (negative ? text.dropFirst() : Substring(text)).split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), !parts[0].isEmpty else { return nil }
    let fraction = parts.count == 2 ? parts[1] : ""
    guard parts.count == 1 || (1...9).contains(fraction.count) else { return nil }
    let digits = parts[0] + fraction + String(repeating: "0", count: 9 - fraction.count)
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int64((negative ? "-" : "") + digits)
}

private func formatNanos(_ value: Int64) -> String {
    let magnitude = value.magnitude
    var fraction = String(magnitude % 1_000_000_000)
    fraction = String(repeating: "0", count: 9 - fraction.count) + fraction
    while fraction.count > 2, fraction.hasSuffix("0") { fraction.removeLast() }
    return (value < 0 ? "-" : "") + String(magnitude / 1_000_000_000) + "." + fraction
}
