import FleetModel
import Units

/// Levels by the clock: so many replicas from then on, whatever the traffic.
///
/// What teams with a known day do (KEDA's cron trigger, an instance group's schedule), and how the resizes of a live run
/// are played again in the simulator. Times count from the first decision.
public struct SchedulePolicy: ScalingPolicy, DescribedPolicy {
    /// A level and when it begins.
    public struct Step: Codable, Sendable, Hashable {
        public var after: TimeSpan
        public var replicas: Int

        public init(after: TimeSpan, replicas: Int) {
            self.after = after
            self.replicas = replicas
        }
    }

    public struct Parameters: Codable, Sendable, Hashable {
        /// By pool name. A pool without steps stays as it is, as does one before its first.
        public var stepsByPool: [String: [Step]]
        /// After so long the schedule begins again; `nil` for never.
        public var period: TimeSpan?

        public init(stepsByPool: [String: [Step]], period: TimeSpan? = nil) {
            self.stepsByPool = stepsByPool
            self.period = period
        }

        enum CodingKeys: String, CodingKey {
            case stepsByPool = "steps_by_pool"
            case period
        }
    }

    /// When the first decision was.
    public struct Memory: Codable, Sendable, Hashable {
        var start: Instant?
        public init() {}
    }

    public static let name = "schedule"
    public static let summary = "levels by the clock, counted from the first decision"
    public static let parameterDescriptions = [
        ParameterDescription(
            "steps_by_pool", .stepsByPool, default: .map([:]), "for each pool the levels and when they begin"),
        ParameterDescription(
            "period", .span(atLeast: .seconds(1)), default: .null, "after so long the schedule begins again"),
    ]

    public let parameters: Parameters
    public private(set) var memory: Memory

    public init(parameters: Parameters, memory: Memory? = nil) {
        self.parameters = parameters
        self.memory = memory ?? Memory()
    }

    public mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        let start = memory.start ?? observation.time
        memory.start = start
        var elapsed = observation.time - start
        if let period = parameters.period { elapsed = TimeSpan(nanoseconds: elapsed.nanoseconds % period.nanoseconds) }
        return ScalingDecision(
            observation.pools.map { pool in
                let steps = parameters.stepsByPool[pool.pool.name] ?? []
                guard let step = steps.filter({ $0.after <= elapsed }).max(by: { $0.after < $1.after }) else {
                    return .hold(.fixed)
                }
                let level = pool.bounds.clamp(step.replicas)
                guard level != pool.target else { return .hold(.onTarget) }
                return .resize(
                    PoolTarget(
                        pool: pool.pool, replicas: level, reason: "scheduled level of \(level) after \(step.after)"))
            })
    }
}
