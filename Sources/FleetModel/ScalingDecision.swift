import Units

/// What a policy wants, and what it chose against.
public struct ScalingDecision: Hashable, Sendable, Codable {
    public var action: ScalingAction
    public var rejected: [Alternative]

    public init(_ action: ScalingAction, rejected: [Alternative] = []) {
        self.action = action
        self.rejected = rejected
    }
}

/// Hold, or the levels wanted: levels, not changes, so that applying a decision twice is harmless.
public enum ScalingAction: Hashable, Sendable, Codable {
    case hold(HoldReason)
    case resize([PoolTarget])
}

/// Why nothing changes.
public enum HoldReason: String, Hashable, Sendable, Codable {
    /// The level wanted is the level there is.
    case onTarget
    /// Inside the policy's tolerance.
    case withinTolerance
    /// A stabilisation window or delay has not passed.
    case stabilizing
    /// No usable measurement.
    case missingMetrics
    /// The policy never changes anything.
    case fixed
}

/// The level wanted for one pool, with its reason in words an operator reads.
public struct PoolTarget: Hashable, Sendable, Codable {
    public var pool: PoolID
    public var replicas: Int
    public var reason: String

    public init(pool: PoolID, replicas: Int, reason: String) {
        self.pool = pool
        self.replicas = replicas
        self.reason = reason
    }
}

/// A level that was considered and not taken.
public struct Alternative: Hashable, Sendable, Codable {
    public var pool: PoolID
    public var replicas: Int
    /// Cost of an hour at this level; `nil` when a price is unknown.
    public var costPerHour: USD?
    /// What speaks against it.
    public var risk: String

    public init(pool: PoolID, replicas: Int, costPerHour: USD?, risk: String) {
        self.pool = pool
        self.replicas = replicas
        self.costPerHour = costPerHour
        self.risk = risk
    }
}
