import Scaling
import Simulation

/// What sizing a fleet found: the answer, what else was tried and why it lost.
public struct SizingResult: Sendable {
    public var scenario: String
    public var seed: UInt64
    public var rule: SizingRule
    /// What differed between draws, in words.
    public var varied: String
    /// The answer first; then those that kept the promise, those not followed further, those that miss, each by cost.
    public var rows: [SizingRow]
    /// Fixed fleets that are not looked at, because one more replica on the same machines costs nothing.
    public var unfilled: Int
    /// Fixed fleets that were not played and are too many to list: a larger one misses already, or they cost more than
    /// what was found.
    public var unlisted: Int
    /// The answer, when there is one.
    public var answer: SizingAnswer?
    /// When nothing keeps the promise: what comes nearest, and what stands in the way.
    public var nearest: SizingNearest?
    /// Candidates there are, and runs that trying each on every draw would take.
    public var candidates: Int
    public var exhaustiveRuns: Int
    /// Runs that the search took, the fresh draws of the answer included.
    public var runs: Int
}

/// One candidate in the table.
public struct SizingRow: Sendable {
    public enum Verdict: String, Sendable, Codable {
        /// The cheapest that keeps the promise.
        case answer
        /// Keeps it and costs more.
        case keeps
        /// Set aside after a few draws: it costs more than the answer, or less than 1 % below it.
        case dearer
        /// Misses in more draws than the risk allows.
        case misses
        /// Kept the promise on the draws of the search and not on fresh ones.
        case contradicted
        /// Never played, because its cost or a larger fleet's misses had decided.
        case notPlayed = "not-played"
    }

    public var name: String
    public var verdict: Verdict
    /// Draws played, and those of them on which a class missed its attainment.
    public var draws: Int
    public var misses: Int
    /// Mean cost of a run in USD over the draws played, the first so many of the search, with Student's interval from two
    /// on. Of a fixed fleet that was not played what its machines cost, which is known without a run; `nil` of a policy.
    public var cost: Estimate?
    /// The mean attainment of each SLO class; empty when not played.
    public var attainments: [Double]
    /// Why it is where it is, in words.
    public var reason: String
}

/// The fleet and the policy to run.
public struct SizingAnswer: Sendable {
    public var name: String
    /// What the answer changes: alternatives of pools, replicas, policy. Played as it stands by `replay`.
    public var scenario: Scenario
    public var policy: PolicyChoice
    /// The alternative chosen for each pool.
    public var pools: [PoolAlternative]
    /// Replicas of each pool that are held; `nil` for a policy that resizes.
    public var counts: [Int]?
    /// Over the draws of the search.
    public var cost: Estimate
    /// Over draws that had no part in the choice; `nil` when none were played.
    public var freshCost: Estimate?
    /// Probability of keeping the promise on a draw, from the draws of the search, with Clopper and Pearson's 95 % interval.
    public var probability: Estimate
    /// The same from draws that had no part in the choice; `nil` when none were played.
    public var freshProbability: Estimate?

    public init(
        name: String, scenario: Scenario, policy: PolicyChoice, pools: [PoolAlternative], counts: [Int]?,
        cost: Estimate, freshCost: Estimate? = nil, probability: Estimate, freshProbability: Estimate?
    ) {
        self.name = name
        self.scenario = scenario
        self.policy = policy
        self.pools = pools
        self.counts = counts
        self.cost = cost
        self.freshCost = freshCost
        self.probability = probability
        self.freshProbability = freshProbability
    }
}

/// The best of candidates that all miss.
public struct SizingNearest: Sendable {
    public var name: String
    public var draws: Int
    public var misses: Int
    public var cost: Estimate
    /// What stands in the way, a sentence each.
    public var limits: [String]
}
