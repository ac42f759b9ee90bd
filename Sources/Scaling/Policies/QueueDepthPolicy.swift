import FleetModel
import Units

/// Scales on waiting requests per replica: up at once, down one step after a quiet delay.
///
/// The rule many deployments start from: KEDA with a Prometheus trigger on `vllm:num_requests_waiting`, as GKE's guide
/// recommends where throughput matters more than latency. Up, it is KEDA's AverageValue rule, ceil(waiting / target),
/// counted against the level asked for, so that replicas still starting are not ordered again. Down, KEDA's rule would
/// jump to the minimum whenever the queue is empty, which a well-sized fleet's queue is; instead one step is taken
/// each time the queue has stayed below a fraction of the target for the whole delay with nothing in transition.
public struct QueueDepthPolicy: ScalingPolicy, DescribedPolicy {
    public struct Parameters: Codable, Sendable, Hashable {
        /// Waiting requests per replica that are accepted. Positive.
        public var targetWaiting: Double
        /// Scale-in is considered below this fraction of the target. Range: 0...1.
        public var scaleInFraction: Double
        /// How long the queue must have stayed there.
        public var scaleInDelay: TimeSpan
        /// Replicas removed at a time. At least 1.
        public var scaleInStep: Int

        public init(
            targetWaiting: Double = 5, scaleInFraction: Double = 0.2, scaleInDelay: TimeSpan = .seconds(300),
            scaleInStep: Int = 1
        ) {
            self.targetWaiting = targetWaiting
            self.scaleInFraction = scaleInFraction
            self.scaleInDelay = scaleInDelay
            self.scaleInStep = scaleInStep
        }

        enum CodingKeys: String, CodingKey {
            case targetWaiting = "target_waiting"
            case scaleInFraction = "scale_in_fraction"
            case scaleInDelay = "scale_in_delay"
            case scaleInStep = "scale_in_step"
        }
    }

    /// Since when each pool, by name, has been quiet and settled.
    public struct Memory: Codable, Sendable, Hashable {
        var quietSince: [String: Instant] = [:]
        public init() {}
    }

    public static let name = "queue-depth"
    public static let summary = "waiting requests per replica: up at once, down after a quiet delay"
    public static let parameterDescriptions = [
        ParameterDescription(
            "target_waiting", .number(0.001...1_000_000), default: .number(5), "waiting requests accepted per replica"),
        ParameterDescription(
            "scale_in_fraction", .number(0...1), default: .number(0.2),
            "scale-in is considered below this fraction of the target"),
        ParameterDescription(
            "scale_in_delay", .span(atLeast: .zero), default: .text("300s"), "how long the queue must have been there"),
        ParameterDescription(
            "scale_in_step", .count(1...1_000_000), default: .number(1), "replicas removed at a time"),
    ]

    public let parameters: Parameters
    public private(set) var memory: Memory

    public init(parameters: Parameters, memory: Memory? = nil) {
        self.parameters = parameters
        self.memory = memory ?? Memory()
    }

    public mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        var verdicts: [PoolVerdict] = []
        for pool in observation.pools { verdicts.append(decide(pool, at: observation.time)) }
        return ScalingDecision(verdicts)
    }

    private mutating func decide(_ pool: PoolObservation, at now: Instant) -> PoolVerdict {
        let name = pool.pool.name
        guard let waiting = pool.queueDepth else {
            // What cannot be seen is not quiet: the delay starts again.
            memory.quietSince[name] = nil
            return .hold(.missingMetrics)
        }
        let wanted = pool.bounds.clamp(Int(min((waiting / parameters.targetWaiting).rounded(.up), 1e9)))
        if wanted > pool.target {
            memory.quietSince[name] = nil
            let reason =
                "\(decimal(waiting, places: 0)) waiting at \(decimal(parameters.targetWaiting)) accepted per replica"
            return .resize(PoolTarget(pool: pool.pool, replicas: wanted, reason: reason))
        }
        let limit = parameters.targetWaiting * parameters.scaleInFraction * Double(max(1, pool.ready))
        let isSettled = pool.starting == 0 && pool.draining == 0 && pool.missingReplicas == 0
        guard waiting <= limit, isSettled, pool.target > pool.bounds.minimum else {
            memory.quietSince[name] = nil
            if pool.missingReplicas > 0 { return .hold(.missingMetrics) }
            return .hold(waiting <= limit ? .onTarget : .withinTolerance)
        }
        let since = memory.quietSince[name] ?? now
        memory.quietSince[name] = since
        guard now - since >= parameters.scaleInDelay else { return .hold(.stabilizing) }
        memory.quietSince[name] = nil
        let level = max(pool.bounds.minimum, pool.target - parameters.scaleInStep)
        return .resize(
            PoolTarget(
                pool: pool.pool, replicas: level, reason: "at most \(decimal(limit)) waiting for \(now - since)"))
    }
}
