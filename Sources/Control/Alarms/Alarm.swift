import FleetModel
import Units

/// Something that an operator should be told before it is expensive: by its kind, for a rule that pages, and in words.
public struct Alarm: Hashable, Sendable, Encodable {
    public enum Kind: String, Hashable, Sendable, Encodable, CaseIterable {
        case tenantAbuse = "tenant-abuse"
        case spendBurn = "spend-burn"
        case coldStartDrift = "cold-start-drift"
        case queueDivergence = "queue-divergence"
        case latencyDrift = "latency-drift"
    }

    public var kind: Kind
    public var pool: PoolID?
    /// Whom it is about; `nil` for no one.
    public var tenant: String?
    public var text: String

    public init(_ kind: Kind, pool: PoolID? = nil, tenant: String? = nil, _ text: String) {
        self.kind = kind
        self.pool = pool
        self.tenant = tenant
        self.text = text
    }
}

/// What alarms compare with.
public struct AlarmLimits: Hashable, Sendable {
    /// What a day of machines may cost; `nil` for no budget.
    public var dailyBudget: USD?
    /// A cold start may take so much longer than expected. A fraction.
    public var coldStartShare = 0.5
    /// The queue has grown at so many ticks in a row.
    public var growingTicks = 5
    /// Measured latency may be so many times what the profile says. Buckets of a histogram are up to 2.5 apart, and an
    /// interpolated quantile is wrong by less than a bucket.
    public var latencyFactor = 2.5

    public init() {}
}
