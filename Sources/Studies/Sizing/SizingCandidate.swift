import FleetModel
import Scaling
import Simulation

/// Something that may be the answer: a fleet with fixed numbers of replicas, or with a policy and its parameters.
public enum SizingCandidate: Hashable, Sendable {
    /// Replicas of each pool, held from start to end.
    case fixed(fleet: Int, counts: [Int])
    /// A policy of `SizingCandidates.policies`.
    case policy(Int)

    var isFixed: Bool { if case .fixed = self { true } else { false } }
}

/// Everything that a study chooses from.
public struct SizingCandidates: Sendable {
    public let fleets: [SizingFleet]
    /// Policies that resize, each on a fleet and with its parameters filled in.
    public let policies: [(fleet: Int, choice: PolicyChoice)]

    /// The scenario's fleets, and on each of them every policy with every combination of its grid.
    ///
    /// - Throws: `PricingError` when an offering has no price.
    public init(_ scenario: Scenario) throws {
        fleets = try SizingFleet.all(of: scenario)
        var policies: [(Int, PolicyChoice)] = []
        for (index, fleet) in fleets.enumerated() {
            for choice in scenario.policies where choice.policy != StaticPolicy.name {
                policies += choice.combinations(in: fleet.scenario).map { (index, $0) }
            }
        }
        self.policies = policies
    }

    /// Fixed fleets there are, over all combinations of counts that the bounds allow.
    public var fixedCount: Int {
        fleets.reduce(0) { sum, fleet in
            sum + fleet.scenario.pools.reduce(1) { $0 * ($1.bounds.maximum - $1.bounds.minimum + 1) }
        }
    }

    /// Candidates in all: what an exhaustive search would simulate.
    public var count: Int { fixedCount + policies.count }

    func fleet(of candidate: SizingCandidate) -> SizingFleet { fleets[index(of: candidate)] }

    /// Index of a candidate's fleet.
    func index(of candidate: SizingCandidate) -> Int {
        switch candidate {
        case .fixed(let fleet, _): fleet
        case .policy(let index): policies[index].fleet
        }
    }

    /// The policy that plays a candidate, under a label of its own.
    public func choice(of candidate: SizingCandidate) -> PolicyChoice {
        switch candidate {
        case .policy(let index): return policies[index].choice
        case .fixed(let fleet, let counts):
            let pools = fleets[fleet].scenario.pools
            let byPool = Dictionary(
                uniqueKeysWithValues: zip(pools, counts).map { ($0.id.name, ParameterValue.number(Double($1))) })
            return PolicyChoice(
                label: "fixed", policy: StaticPolicy.name, parameters: ["replicas_by_pool": .map(byPool)])
        }
    }

    /// The scenario that plays a candidate: for a fixed fleet its replicas are ready from the start.
    public func scenario(of candidate: SizingCandidate) -> Scenario {
        switch candidate {
        case .policy(let index): fleets[policies[index].fleet].scenario
        case .fixed(let fleet, let counts): fleets[fleet].scenario(holding: counts)
        }
    }

    /// A candidate as tables name it.
    public func name(of candidate: SizingCandidate) -> String {
        let fleet = fleet(of: candidate)
        let place = fleet.name.isEmpty ? "" : ", \(fleet.name)"
        switch candidate {
        case .policy(let index):
            let choice = policies[index].choice
            let parameters = choice.parameters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            return ([choice.label] + parameters).joined(separator: " ") + place
        case .fixed(_, let counts):
            let pools = fleet.scenario.pools
            guard pools.count > 1 else { return "fixed at \(counts[0])\(place)" }
            return "fixed at " + zip(pools, counts).map { "\($0.id.name) \($1)" }.joined(separator: ", ") + place
        }
    }
}

extension PolicyChoice {
    /// The policy with every combination of the values to try.
    ///
    /// Those of the scenario's `size` block, else of its `tune`, else the grid of the policy's kind; a parameter that
    /// the scenario states keeps its value.
    func combinations(in scenario: Scenario) -> [PolicyChoice] {
        let axes: [PolicyGrid.Axis] =
            if let grid = scenario.sizing?.grids.first(where: { $0.label == label }) {
                grid.axes
            } else if let tuning {
                [PolicyGrid.Axis(tuning.parameter, tuning.candidates)]
            } else {
                PolicyGrid.standard(for: self, in: scenario)
            }
        var bare = self
        bare.tuning = nil
        return axes.reduce([bare]) { choices, axis in
            choices.flatMap { choice in
                axis.values.map { value in
                    var copy = choice
                    copy.parameters[axis.parameter] = value
                    return copy
                }
            }
        }
    }
}

extension PolicyGrid {
    /// What is tried of a policy that says nothing itself: the parameters that move its fleet up and down.
    static func standard(for choice: PolicyChoice, in scenario: Scenario) -> [Axis] {
        let axes: [Axis] =
            switch choice.policy {
            case HorizontalPodAutoscaler.name:
                // The target is in sequences per replica, so the grid is in shares of what a replica runs at once.
                [Axis("target_per_replica", shares(of: scenario).map { .number($0) })]
            case QueueDepthPolicy.name:
                [
                    Axis("target_waiting", [0.5, 1, 2, 5].map { .number($0) }),
                    Axis("scale_in_delay", ["120s", "300s", "900s"].map { .text($0) }),
                ]
            case LookaheadPolicy.name:
                [
                    Axis("quantile", [0.6, 0.75, 0.9, 0.97].map { .number($0) }),
                    Axis("deviations", [0, 1, 2].map { .number($0) }),
                ]
            default: []
            }
        return axes.filter { choice.parameters[$0.parameter] == nil }
    }

    /// An eighth to all of the sequences of the pool that runs the fewest, whole numbers, each once.
    private static func shares(of scenario: Scenario) -> [Double] {
        let sequences = scenario.pools.map(\.batcher.maxSequences).min() ?? 1
        var values: [Double] = []
        for share in [0.125, 0.1875, 0.25, 0.375, 0.5, 0.625, 0.75, 1] {
            let value = max(1, (share * Double(sequences)).rounded())
            if !values.contains(value) { values.append(value) }
        }
        return values
    }
}
