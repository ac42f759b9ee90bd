import Simulation
import Statistics

/// Several policies over the very same traffic, and over plants that differ from what the policies believe.
public struct PolicyStudy: Sendable {
    public var comparison: Comparison
    /// The runs of each policy on the plant as profiled, by policy and replication, in the order the policies were given.
    public var runs: [[RunResult]]
    public var tunings: [TuningOutcome]

    /// Plants to try beside the one that policies know: 15 % faster and 15 % slower.
    public static let plantFactors = [0.85, 1.15]

    /// Tunes what is to be tuned, then plays every policy on every plant and replication.
    ///
    /// Replication r of one policy meets the same arrivals, lengths and step noise as replication r of any other, so
    /// their differences are paired.
    ///
    /// - Parameters:
    ///   - policies: At least one, with unique labels.
    ///   - replications: At least 1; from 2 on, estimates have intervals.
    ///   - seed: In place of the scenario's.
    public static func run(
        _ scenario: Scenario, policies: [PolicyChoice], replications: Int, seed: UInt64? = nil, workers: Int,
        progress: (@Sendable (StudyProgress) -> Void)? = nil
    ) async throws -> PolicyStudy {
        precondition(!policies.isEmpty && replications >= 1, "a comparison needs a policy and a run")
        let (tuned, tunings) = try await tune(policies, in: scenario, workers: workers, progress: progress)
        let factors = [1.0] + plantFactors
        let plans = factors.flatMap { factor in
            tuned.flatMap { policy in
                (0..<replications).map { replication in
                    RunPlan(
                        policy: policy,
                        options: RunOptions(seed: seed, replication: replication, plantFactor: factor))
                }
            }
        }
        let results = try await runAll(plans, of: scenario, workers: workers, progress: progress)
        // By plant, policy and replication.
        let cells = factors.indices.map { plant in
            tuned.indices.map { policy in
                let first = (plant * tuned.count + policy) * replications
                return Array(results[first..<(first + replications)])
            }
        }
        return PolicyStudy(
            comparison: compare(cells, factors: factors, scenario: scenario, replications: replications),
            runs: cells[0], tunings: tunings)
    }

    private static func compare(
        _ cells: [[[RunResult]]], factors: [Double], scenario: Scenario, replications: Int
    ) -> Comparison {
        let varied = scenario.whatReplicationsVary
        let ranks = cells.map { rank($0) }
        let best = ranks[0].firstIndex(of: 1)
        var rows = cells[0].indices.map { policy -> ComparisonRow in
            let runs = cells[0][policy]
            func estimate(_ value: (RunResult) -> Double) -> Estimate {
                Estimate(over: runs.map(value), varied: varied)
            }
            return ComparisonRow(
                policy: runs[0].policy, policyDigest: runs[0].policyFile.digest, rank: ranks[0][policy],
                cost: estimate { $0.bill.total.dollars },
                costAboveBest: best.flatMap { best in
                    guard best != policy else { return nil }
                    let differences = zip(runs, cells[0][best]).map { $0.bill.total.dollars - $1.bill.total.dollars }
                    return Estimate(over: differences, varied: varied)
                },
                costPerMillionOutputTokens: estimate {
                    $0.bill.total.per($0.outputTokens, scale: 1_000_000)?.dollars ?? 0
                },
                attainment: Estimate(attainmentOf: runs, varied: varied),
                ttftP99: estimate { $0.ttft.quantile(0.99)?.milliseconds ?? 0 },
                itlP99: estimate { $0.itl.quantile(0.99)?.milliseconds ?? 0 },
                meanReplicas: estimate { $0.pools.reduce(0) { $0 + $1.meanReplicas } },
                reversals: estimate { Double($0.scaling.reversals) },
                variants: factors.indices.dropFirst().map { plant in
                    let runs = cells[plant][policy]
                    return PlantVariant(
                        factor: factors[plant],
                        cost: Estimate(over: runs.map { $0.bill.total.dollars }, varied: varied),
                        attainment: Estimate(attainmentOf: runs, varied: varied),
                        rank: ranks[plant][policy])
                })
        }
        rows = rows.filter(\.meetsSLO).sorted { $0.rank! < $1.rank! } + rows.filter { !$0.meetsSLO }
        return Comparison(
            rows: rows, replications: replications, varied: varied,
            requiredAttainment: scenario.sloClasses.map(\.attainment).max() ?? 1)
    }

    /// Places by mean cost, from 1, of the policies whose mean attainment is what every class was promised; `nil` for the
    /// others: the cheapest fleet that breaks its promise is no answer.
    private static func rank(_ policies: [[RunResult]]) -> [Int?] {
        let meeting = policies.indices.filter { policy in
            let runs = policies[policy]
            return runs[0].sloClasses.indices.allSatisfy { index in
                let mean = runs.reduce(0) { $0 + $1.sloClasses[index].attainment } / Double(runs.count)
                return mean >= runs[0].sloClasses[index].sloClass.attainment
            }
        }
        let costs = policies.map { runs in runs.reduce(0) { $0 + $1.bill.total.dollars } / Double(runs.count) }
        let ordered = meeting.sorted { (costs[$0], $0) < (costs[$1], $1) }
        return policies.indices.map { policy in ordered.firstIndex(of: policy).map { $0 + 1 } }
    }
}

extension Scenario {
    /// What differs from one replication to the next, in words.
    public var whatReplicationsVary: String {
        switch (sources.isEmpty, traces.isEmpty) {
        case (false, true): "arrivals, lengths and step noise"
        case (true, false): "blocks of the trace (1 minute, resampled) and step noise"
        default: "arrivals, lengths, blocks of the trace (1 minute, resampled) and step noise"
        }
    }
}

extension Estimate {
    /// The mean of replications, with its 95 % interval from two on.
    public init(over values: [Double], varied: String) {
        let mean = values.reduce(0, +) / Double(values.count)
        guard let interval = ConfidenceInterval.ofMean(values, level: 0.95) else {
            self.init(mean)
            return
        }
        self.init(mean, ci95: Bounds(lower: interval.lower, upper: interval.upper), varied: varied)
    }

    /// The mean attainment of replications, with its 95 % interval from two on.
    public init(attainmentOf runs: [RunResult], varied: String) {
        let shares = runs.map(\.attainment)
        self.init(shares.reduce(0, +) / Double(shares.count))
        let trials = runs.reduce(0) { $0 + Int($1.outcomes.arrived) }
        guard let interval = ConfidenceInterval.ofShare(shares, trials: trials, level: 0.95) else { return }
        ci95 = Bounds(lower: interval.lower, upper: interval.upper)
        self.varied = varied
    }
}
