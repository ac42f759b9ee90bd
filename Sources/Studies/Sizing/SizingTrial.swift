import Units

/// What one run of a candidate on one draw of the traffic yielded.
public struct SizingOutcome: Hashable, Sendable {
    public var cost: USD
    /// By SLO class, in the scenario's order: the share of requests that met every target.
    public var attainments: [Double]
    /// Whether every class reached what it was promised.
    public var isMet: Bool

    public init(cost: USD, attainments: [Double], isMet: Bool) {
        self.cost = cost
        self.attainments = attainments
        self.isMet = isMet
    }
}

/// What is known of a candidate: its outcomes on the first draws, in order.
public struct SizingTrial: Hashable, Sendable {
    public var outcomes: [SizingOutcome] = []

    public init(outcomes: [SizingOutcome] = []) { self.outcomes = outcomes }

    public var draws: Int { outcomes.count }
    public var misses: Int { outcomes.count { !$0.isMet } }

    /// Mean cost of a run, in USD; 0 without a run.
    public var meanCost: Double {
        outcomes.isEmpty ? 0 : outcomes.reduce(0) { $0 + $1.cost.dollars } / Double(outcomes.count)
    }

    /// The mean attainment of each class; empty without a run.
    public var meanAttainments: [Double] {
        guard let first = outcomes.first else { return [] }
        return first.attainments.indices.map { index in
            outcomes.reduce(0) { $0 + $1.attainments[index] } / Double(outcomes.count)
        }
    }
}
