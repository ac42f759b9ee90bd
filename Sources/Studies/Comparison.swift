/// Policies over the same traffic, side by side.
public struct Comparison: Hashable, Sendable {
    /// Those that meet the SLO by rank, then those that miss it, in the order to be shown.
    public var rows: [ComparisonRow]
    /// Runs behind each estimate. At least 1.
    public var replications: Int
    /// What varied between replications, in words.
    public var varied: String
    /// The share of requests that must meet their targets for a policy to be ranked. Range: 0...1.
    public var requiredAttainment: Double
    /// What hindsight would have paid; `nil` when no plan keeps the promise by the profile.
    public var clairvoyant: ClairvoyantCost?
    /// The first row's policy against each of the others, headline by headline.
    public var differences: [PolicyDifference]
    /// `nil` where the number of replications was given.
    public var precision: PrecisionOutcome?

    public init(
        rows: [ComparisonRow], replications: Int, varied: String, requiredAttainment: Double,
        differences: [PolicyDifference] = [], precision: PrecisionOutcome? = nil
    ) {
        self.differences = differences
        self.precision = precision
        self.rows = rows
        self.replications = replications
        self.varied = varied
        self.requiredAttainment = requiredAttainment
    }
}

/// One policy in a comparison.
public struct ComparisonRow: Hashable, Sendable {
    /// The policy's label in the scenario, and the digest of its name and parameters.
    public var policy: String
    public var policyDigest: String
    /// Place among the policies that meet the SLO, cheapest first, from 1; `nil` for one that misses it.
    public var rank: Int?
    /// Cost of the run, in USD.
    public var cost: Estimate
    /// Cost minus that of the first-ranked policy, paired by replication, in USD; `nil` for that policy itself.
    public var costAboveBest: Estimate?
    /// Cost over the clairvoyant bound of the same traffic, paired by replication; `nil` without a bound.
    public var costOverClairvoyant: Estimate?
    public var costPerMillionOutputTokens: Estimate
    /// Share of requests that met every target. Range: 0...1.
    public var attainment: Estimate
    /// In milliseconds.
    public var ttftP99: Estimate
    public var itlP99: Estimate
    public var meanReplicas: Estimate
    /// Changes of direction of a pool's target.
    public var reversals: Estimate
    /// The same policy where the plant is slower or faster than the profile the policy knows; the same factors, in
    /// the same order, in every row of a comparison.
    public var variants: [PlantVariant]

    public init(
        policy: String, policyDigest: String, rank: Int?, cost: Estimate, costAboveBest: Estimate? = nil,
        costPerMillionOutputTokens: Estimate, attainment: Estimate, ttftP99: Estimate, itlP99: Estimate,
        meanReplicas: Estimate, reversals: Estimate, variants: [PlantVariant] = []
    ) {
        self.policy = policy
        self.policyDigest = policyDigest
        self.rank = rank
        self.cost = cost
        self.costAboveBest = costAboveBest
        self.costPerMillionOutputTokens = costPerMillionOutputTokens
        self.attainment = attainment
        self.ttftP99 = ttftP99
        self.itlP99 = itlP99
        self.meanReplicas = meanReplicas
        self.reversals = reversals
        self.variants = variants
    }

    public var meetsSLO: Bool { rank != nil }
}

/// A policy on a plant that differs from its profile.
public struct PlantVariant: Hashable, Sendable {
    /// Step time of the plant over that of the profile: 1.15 is 15 % slower.
    public var factor: Double
    public var cost: Estimate
    public var attainment: Estimate
    /// Place among the policies that meet the SLO on this plant; `nil` for one that misses it.
    public var rank: Int?

    public init(factor: Double, cost: Estimate, attainment: Estimate, rank: Int?) {
        self.factor = factor
        self.cost = cost
        self.attainment = attainment
        self.rank = rank
    }
}
