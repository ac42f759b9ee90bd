import FleetModel
import Randomness
import Scaling

/// A policy whose observations are kept: what the world showed it.
struct WatchedPolicy: ScalingPolicy {
    final class Notebook: @unchecked Sendable {
        // A world has one policy and calls it from one thread, between the spans that it plays its pools on several.
        var observations: [FleetObservation] = []
    }

    struct Nothing: Codable, Hashable, Sendable {}

    static let name = "watched"
    var parameters: Nothing { Nothing() }
    var memory: Nothing { Nothing() }
    private var policy: any ScalingPolicy
    private let notebook: Notebook

    init(_ policy: any ScalingPolicy, notebook: Notebook) {
        self.policy = policy
        self.notebook = notebook
    }

    init(parameters: Nothing, memory: Nothing?) { preconditionFailure("nothing to watch") }

    mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        notebook.observations.append(observation)
        return policy.decide(observation)
    }
}

/// A policy that wants any level at any tick: no real one sends a fleet up and down so often.
struct WhimsicalPolicy: ScalingPolicy {
    struct Parameters: Codable, Hashable, Sendable {
        var seed: UInt64
    }
    /// Ticks so far.
    typealias Memory = UInt64

    static let name = "whim"
    let parameters: Parameters
    private(set) var memory: Memory

    init(parameters: Parameters, memory: Memory? = nil) {
        self.parameters = parameters
        self.memory = memory ?? 0
    }

    mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        memory += 1
        let whims = CounterStream(seed: parameters.seed, names: "whim")
        let targets = observation.pools.enumerated().map { index, pool in
            let span = pool.bounds.maximum - pool.bounds.minimum + 1
            let draw = whims.uniform(at: memory << 8 | UInt64(index)) * Double(span)
            return PoolTarget(pool: pool.pool, replicas: pool.bounds.minimum + Int(draw), reason: "a whim")
        }
        return ScalingDecision(.resize(targets))
    }
}
