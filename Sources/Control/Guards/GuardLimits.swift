import FleetModel
import Units

/// What no policy may exceed. Every limit but the safety ones is off unless it is set.
public struct GuardLimits: Hashable, Sendable, Codable {
    /// The most replicas one tick may add to or take from a pool. At least 1.
    public var maximumAdded: Int?
    public var maximumRemoved: Int?
    /// Nothing is removed below the highest level wanted in this span.
    public var scaleInStabilization: TimeSpan
    /// The disruption budget: replicas of a pool that may drain at a time. At least 1.
    public var maximumDraining: Int?
    /// The most that all pools together may cost per hour, instances at the price of the next offering.
    public var spendingCeiling: USDPerHour?
    /// A sample older than this forbids scale-in.
    public var staleness: TimeSpan
    /// No scale-in for so long after the first tick: a loop that has just started has seen nothing.
    public var restartWindow: TimeSpan
    /// How long a pool is left alone after someone else changed it.
    public var freeze: TimeSpan

    public init(
        maximumAdded: Int? = nil, maximumRemoved: Int? = nil, scaleInStabilization: TimeSpan = .zero,
        maximumDraining: Int? = nil, spendingCeiling: USDPerHour? = nil, staleness: TimeSpan = .seconds(45),
        restartWindow: TimeSpan = .seconds(60), freeze: TimeSpan = .minutes(10)
    ) {
        self.maximumAdded = maximumAdded
        self.maximumRemoved = maximumRemoved
        self.scaleInStabilization = scaleInStabilization
        self.maximumDraining = maximumDraining
        self.spendingCeiling = spendingCeiling
        self.staleness = staleness
        self.restartWindow = restartWindow
        self.freeze = freeze
    }
}

/// A rule that stood between a policy's wish and the fleet.
public enum GuardRule: String, Hashable, Sendable, Codable, CaseIterable {
    case bounds
    case stepLimit = "step-limit"
    case disruptionBudget = "disruption-budget"
    case incompleteData = "incomplete-data"
    case restart
    case stabilization
    case tenantAbuse = "tenant-abuse"
    case foreignChange = "foreign-change"
    case spendingCeiling = "spending-ceiling"
}

/// What a guard changed, and why.
public struct GuardIntervention: Hashable, Sendable, Codable {
    public var rule: GuardRule
    public var pool: PoolID
    /// The level that came in, and the one that went on.
    public var proposed: Int
    public var allowed: Int
    public var reason: String

    public init(rule: GuardRule, pool: PoolID, proposed: Int, allowed: Int, reason: String) {
        self.rule = rule
        self.pool = pool
        self.proposed = proposed
        self.allowed = allowed
        self.reason = reason
    }
}
