import FleetModel
import Units

/// A rule that decides how many replicas each pool should have.
///
/// A pure value: no clock, no socket, no randomness. The simulator and the live controller drive the same one, and a
/// policy made from the same parameters and memory gives the same decisions for the same observations.
public protocol ScalingPolicy: Sendable {
    /// What a user sets. Written to `policy.json` and digested, so that a change of it is a fact and not an accident.
    associatedtype Parameters: Codable & Sendable & Hashable
    /// What the policy remembers between ticks; a restarted controller continues from it.
    associatedtype Memory: Codable & Sendable

    /// The name in scenarios and reports, such as `hpa`.
    static var name: String { get }

    /// - Parameter memory: Where an earlier policy with these parameters stopped; `nil` starts afresh.
    init(parameters: Parameters, memory: Memory?)

    var parameters: Parameters { get }
    var memory: Memory { get }

    /// Decides for every pool of the observation, which is later than any before.
    mutating func decide(_ observation: FleetObservation) -> ScalingDecision
}

/// What a policy concludes for one pool.
enum PoolVerdict {
    case hold(HoldReason)
    case resize(PoolTarget)
}

extension ScalingDecision {
    /// One decision for the fleet: the pools that change, or the weightiest reason why none does.
    init(_ verdicts: [PoolVerdict], rejected: [Alternative] = []) {
        var targets: [PoolTarget] = []
        var reason = HoldReason.onTarget
        for verdict in verdicts {
            switch verdict {
            case .resize(let target): targets.append(target)
            case .hold(let other): if other.weight > reason.weight { reason = other }
            }
        }
        self.init(targets.isEmpty ? .hold(reason) : .resize(targets), rejected: rejected)
    }
}

extension HoldReason {
    /// Of several pools' reasons the one an operator must hear.
    fileprivate var weight: Int {
        switch self {
        case .missingMetrics: 4
        case .stabilizing: 3
        case .fixed: 2
        case .withinTolerance: 1
        case .onTarget: 0
        }
    }
}
