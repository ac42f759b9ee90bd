import FleetModel
import Units

/// The Kubernetes HorizontalPodAutoscaler (autoscaling/v2), scaling on running + waiting sequences per pod.
///
/// The metric is of type Pods with an AverageValue target. One tick is one sync of the controller (15 s by default in
/// Kubernetes). Starting replicas are its unready pods, ready replicas without a fresh sample its pods with missing
/// metrics, and draining replicas are terminating pods, which it ignores. A replica counts what its engine reports;
/// requests that the gateway holds while no replica is ready add to the sum but cannot be seen by a fleet of none,
/// as in a cluster.
///
/// Its metrics are whole milli-units; here they are `Double`s, which differ from them by less than a thousandth.
///
/// - Source: Kubernetes, `pkg/controller/podautoscaler` (`replica_calculator.go`, `horizontal.go`), whose algorithm is
///   re-derived here; defaults of `HorizontalPodAutoscalerBehavior` and of kube-controller-manager.
public struct HorizontalPodAutoscaler: ScalingPolicy, DescribedPolicy {
    public struct Parameters: Codable, Sendable, Hashable {
        /// Running + waiting sequences wanted per replica. Positive. Kubernetes has no default; ours is 32.
        public var targetPerReplica: Double
        /// The share by which the ratio of metric to target may differ from 1 without a change.
        public var tolerance: Double
        public var scaleUpStabilization: TimeSpan
        public var scaleDownStabilization: TimeSpan
        /// Scale-up allows the larger of so many pods and so many percent in a period.
        public var scaleUpPods: Int
        public var scaleUpPercent: Int
        public var scaleUpPeriod: TimeSpan
        public var scaleDownPercent: Int
        public var scaleDownPeriod: TimeSpan

        public init(
            targetPerReplica: Double = 32, tolerance: Double = 0.1, scaleUpStabilization: TimeSpan = .zero,
            scaleDownStabilization: TimeSpan = .seconds(300), scaleUpPods: Int = 4, scaleUpPercent: Int = 100,
            scaleUpPeriod: TimeSpan = .seconds(15), scaleDownPercent: Int = 100,
            scaleDownPeriod: TimeSpan = .seconds(15)
        ) {
            self.targetPerReplica = targetPerReplica
            self.tolerance = tolerance
            self.scaleUpStabilization = scaleUpStabilization
            self.scaleDownStabilization = scaleDownStabilization
            self.scaleUpPods = scaleUpPods
            self.scaleUpPercent = scaleUpPercent
            self.scaleUpPeriod = scaleUpPeriod
            self.scaleDownPercent = scaleDownPercent
            self.scaleDownPeriod = scaleDownPeriod
        }

        enum CodingKeys: String, CodingKey {
            case targetPerReplica = "target_per_replica"
            case tolerance
            case scaleUpStabilization = "scale_up_stabilization"
            case scaleDownStabilization = "scale_down_stabilization"
            case scaleUpPods = "scale_up_pods"
            case scaleUpPercent = "scale_up_percent"
            case scaleUpPeriod = "scale_up_period"
            case scaleDownPercent = "scale_down_percent"
            case scaleDownPeriod = "scale_down_period"
        }
    }

    /// Recommendations and scale events by pool name. The controller keeps them in memory only and loses them on a
    /// restart; seeding with the current level then holds scale-down back for one window, here as there.
    public struct Memory: Codable, Sendable, Hashable {
        var pools: [String: PoolMemory] = [:]
        public init() {}
    }

    struct PoolMemory: Codable, Sendable, Hashable {
        /// What the metric asked for before stabilisation.
        var recommendations: [Entry] = []
        /// Pods added and removed, as positive counts.
        var added: [Entry] = []
        var removed: [Entry] = []
    }

    struct Entry: Codable, Sendable, Hashable {
        var time: Instant
        var count: Int
    }

    public static let name = "hpa"
    public static let summary = "Kubernetes HPA v2 on running + waiting sequences per replica"
    public static let parameterDescriptions = [
        ParameterDescription(
            "target_per_replica", .number(0.001...1_000_000), default: .number(32),
            "running + waiting sequences wanted per replica"),
        ParameterDescription(
            "tolerance", .number(0...1), default: .number(0.1), "relative difference from the target that is ignored"),
        ParameterDescription(
            "scale_up_stabilization", .span(atLeast: .zero), default: .text("0s"),
            "take the lowest recommendation of this long before adding"),
        ParameterDescription(
            "scale_down_stabilization", .span(atLeast: .zero), default: .text("300s"),
            "take the highest recommendation of this long before removing"),
        ParameterDescription(
            "scale_up_pods", .count(0...1_000_000), default: .number(4), "replicas that may be added per period"),
        ParameterDescription(
            "scale_up_percent", .count(0...1_000_000), default: .number(100),
            "percent that may be added per period; the larger of the two counts"),
        ParameterDescription(
            "scale_up_period", .span(atLeast: .seconds(1)), default: .text("15s"), "the period of both"),
        ParameterDescription(
            "scale_down_percent", .count(0...100), default: .number(100), "percent that may be removed per period"),
        ParameterDescription(
            "scale_down_period", .span(atLeast: .seconds(1)), default: .text("15s"), "the period of that"),
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
        let current = pool.target
        let name = pool.pool.name
        var state =
            memory.pools[name] ?? PoolMemory(recommendations: [Entry(time: now, count: current)])
        defer { memory.pools[name] = state }

        // A workload at zero with a minimum above it has been switched off by hand.
        if current == 0 && pool.bounds.minimum > 0 { return .hold(.fixed) }
        let bounded = pool.bounds.clamp(current)
        if bounded != current {
            record(from: current, to: bounded, at: now, in: &state)
            return .resize(PoolTarget(pool: pool.pool, replicas: bounded, reason: "level \(current) is out of bounds"))
        }

        guard let running = pool.runningSequences, let waiting = pool.queueDepth,
            let recommended = recommendation(for: pool, load: running + waiting)
        else { return .hold(.missingMetrics) }

        let stabilized = stabilize(recommended, current: current, at: now, in: &state)
        let desired = pool.bounds.clamp(limitRate(stabilized, current: current, at: now, in: state))
        guard desired != current else {
            return .hold(recommended == current ? .withinTolerance : .stabilizing)
        }
        record(from: current, to: desired, at: now, in: &state)
        let each = (running + waiting) / Double(max(1, pool.ready - pool.missingReplicas))
        let reason =
            "\(decimal(running + waiting)) running + waiting, \(decimal(each)) per replica against a target of "
            + "\(decimal(parameters.targetPerReplica)): \(recommended) wanted"
        return .resize(PoolTarget(pool: pool.pool, replicas: desired, reason: reason))
    }

    /// The level that brings the mean to its target, before stabilisation; `nil` without any pod that reports.
    private func recommendation(for pool: PoolObservation, load: Double) -> Int? {
        let current = pool.target
        let missing = pool.missingReplicas
        let reporting = pool.ready - missing
        guard reporting > 0 else { return nil }
        let target = parameters.targetPerReplica
        let ratio = load / Double(reporting) / target
        // Unready pods count, at zero load, only where they damp a scale-up: they are about to take their share.
        let unready = ratio > 1 ? pool.starting : 0
        if unready == 0 && missing == 0 {
            return isWithinTolerance(ratio) ? current : roundUp(ratio * Double(reporting))
        }
        // Pods without metrics are taken to be at the target when removing, and idle when adding.
        let assumed = ratio < 1 ? Double(missing) * target : 0
        let count = Double(reporting + missing + unready)
        let corrected = (load + assumed) / count / target
        if isWithinTolerance(corrected) || (ratio < 1 && corrected > 1) || (ratio > 1 && corrected < 1) {
            return current
        }
        let level = roundUp(corrected * count)
        if (corrected < 1 && level > current) || (corrected > 1 && level < current) { return current }
        return level
    }

    private func isWithinTolerance(_ ratio: Double) -> Bool { (1 - ratio).magnitude <= parameters.tolerance }

    /// Rounded up, and bounded so that a load beyond all measure is still a count.
    private func roundUp(_ value: Double) -> Int { Int(min(value.rounded(.up), 1e9)) }

    /// Moves towards `recommended` no further than every recommendation of the windows agrees with.
    private func stabilize(_ recommended: Int, current: Int, at now: Instant, in state: inout PoolMemory) -> Int {
        let upCutoff = now - parameters.scaleUpStabilization
        let downCutoff = now - parameters.scaleDownStabilization
        state.recommendations.removeAll { $0.time <= upCutoff && $0.time <= downCutoff }
        var lowest = recommended
        var highest = recommended
        for entry in state.recommendations {
            if entry.time > upCutoff { lowest = min(lowest, entry.count) }
            if entry.time > downCutoff { highest = max(highest, entry.count) }
        }
        state.recommendations.append(Entry(time: now, count: recommended))
        return min(max(current, lowest), highest)
    }

    private func limitRate(_ desired: Int, current: Int, at now: Instant, in state: PoolMemory) -> Int {
        func total(_ events: [Entry], _ period: TimeSpan) -> Int {
            events.reduce(0) { $1.time > now - period ? $0 + $1.count : $0 }
        }
        if desired > current {
            let period = parameters.scaleUpPeriod
            let start = current - total(state.added, period) + total(state.removed, period)
            // Percent rounds up: otherwise a small pool could never grow.
            let byPercent = (start * (100 + parameters.scaleUpPercent) + 99) / 100
            return min(desired, max(current, start + parameters.scaleUpPods, byPercent))
        }
        if desired < current {
            let period = parameters.scaleDownPeriod
            let start = current + total(state.removed, period) - total(state.added, period)
            let byPercent = start * (100 - parameters.scaleDownPercent) / 100
            return max(desired, min(current, byPercent))
        }
        return desired
    }

    private func record(from current: Int, to desired: Int, at now: Instant, in state: inout PoolMemory) {
        let cutoff = now - max(parameters.scaleUpPeriod, parameters.scaleDownPeriod)
        state.added.removeAll { $0.time <= cutoff }
        state.removed.removeAll { $0.time <= cutoff }
        if desired > current { state.added.append(Entry(time: now, count: desired - current)) }
        if desired < current { state.removed.append(Entry(time: now, count: current - desired)) }
    }
}
