import FleetModel
import Units

/// What instances cost: each price with its source and the date it was read.
public struct PriceBook: Hashable, Sendable, Codable {
    public var prices: [Price]

    public init(prices: [Price]) { self.prices = prices }

    /// The price of an offering; `nil` when the book does not know it, which is an error and never a price of zero.
    public func price(of offering: Offering) -> Price? { prices.first { $0.offering == offering } }
}

/// One line of a price book.
public struct Price: Hashable, Sendable, Codable {
    public var offering: Offering
    /// For a whole instance.
    public var rate: USDPerHour
    /// GPUs of the instance: what decides how many replicas fit on it. At least 1.
    public var accelerators: Int
    public var billing: BillingRule
    /// Where the price was read, and when (ISO 8601 date).
    public var source: String
    public var date: String

    public init(
        offering: Offering, rate: USDPerHour, accelerators: Int, billing: BillingRule, source: String, date: String
    ) {
        self.offering = offering
        self.rate = rate
        self.accelerators = accelerators
        self.billing = billing
        self.source = source
        self.date = date
    }
}

/// How a provider measures the time it charges.
public struct BillingRule: Hashable, Sendable, Codable {
    /// Charged time is rounded up to a multiple of this: a second, or an hour.
    public var increment: TimeSpan
    /// The least time charged for an instance, from its launch.
    public var minimum: TimeSpan

    /// - Precondition: `increment` is positive and `minimum` is not negative.
    public init(increment: TimeSpan, minimum: TimeSpan) {
        precondition(increment > .zero && minimum >= .zero, "billing rule \(increment), minimum \(minimum)")
        self.increment = increment
        self.minimum = minimum
    }
}
