import FleetModel

/// A fixed number of replicas: what a fleet sized for its peak costs, and what every other policy must beat.
public struct StaticPolicy: ScalingPolicy, DescribedPolicy {
    public struct Parameters: Codable, Sendable, Hashable {
        /// Replicas of every pool; `nil` is the pool's maximum.
        public var replicas: Int?
        /// Replicas of single pools, by name, instead of `replicas`.
        public var replicasByPool: [String: Int]?

        public init(replicas: Int? = nil, replicasByPool: [String: Int]? = nil) {
            self.replicas = replicas
            self.replicasByPool = replicasByPool
        }

        enum CodingKeys: String, CodingKey {
            case replicas
            case replicasByPool = "replicas_by_pool"
        }
    }

    /// Nothing: the level never depends on the past.
    public struct Memory: Codable, Sendable, Hashable {
        public init() {}
    }

    public static let name = "static"
    public static let summary = "a fixed number of replicas"
    public static let parameterDescriptions = [
        ParameterDescription(
            "replicas", .count(0...1_000_000), default: .null, "replicas of every pool; without it, the pool's maximum"),
        ParameterDescription(
            "replicas_by_pool", .countByPool, default: .null, "replicas of single pools by name, before `replicas`"),
    ]

    public let parameters: Parameters
    public var memory: Memory { Memory() }

    public init(parameters: Parameters, memory: Memory? = nil) { self.parameters = parameters }

    public mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        ScalingDecision(
            observation.pools.map { pool in
                let wanted = parameters.replicasByPool?[pool.pool.name] ?? parameters.replicas ?? pool.bounds.maximum
                let level = pool.bounds.clamp(wanted)
                guard level != pool.target else { return .hold(.fixed) }
                return .resize(PoolTarget(pool: pool.pool, replicas: level, reason: "fixed level of \(level)"))
            })
    }
}
