import FleetModel
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
