import FleetModel
import Simulation
import Statistics

/// Several policies over the very same traffic, and over plants that differ from what the policies believe.
public struct PolicyStudy: Sendable {
    public var comparison: Comparison
    /// Replication 0 of each policy on the plant as profiled, whole, in the order the policies were given.
    public var first: [RunResult]
    /// The figures of all replications on that plant, by policy and replication.
    public var figures: [[RunFigures]]
    /// Requests of all runs on all plants.
    public var requests: Int64
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
    ///   - count: From 2 replications on, estimates have intervals. Precision is judged on the plant as profiled; the other
    ///     plants are given as many replications.
    ///   - seed: In place of the scenario's.
    public static func run(
        _ scenario: Scenario, policies: [PolicyChoice], count: ReplicationCount, seed: UInt64? = nil, workers: Int,
        progress: (@Sendable (StudyProgress) -> Void)? = nil
    ) async throws -> PolicyStudy {
        let (tuned, tunings) = try await tune(policies, in: scenario, workers: workers, progress: progress)
        func play(_ factors: [Double], _ count: ReplicationCount) async throws -> Replications {
            let cells = factors.flatMap { factor in tuned.map { PolicyOnPlant($0, plantFactor: factor) } }
            return try await Replications.play(
                cells, of: scenario, count: count, seed: seed, workers: workers, progress: progress)
        }
        // One batch of runs where their number is known, so that no worker waits for the end of a plant.
        var profiled: Replications
        let others: ArraySlice<[RunFigures]>
        if case .exactly = count {
            profiled = try await play([1] + plantFactors, count)
            others = profiled.figures.dropFirst(tuned.count)
            profiled.first.removeLast(others.count)
            profiled.figures.removeLast(others.count)
        } else {
            profiled = try await play([1], count)
            others = try await play(plantFactors, .exactly(profiled.count)).figures[...]
        }
        let figures = profiled.figures + others
        let cells = (0...plantFactors.count).map { Array(figures[$0 * tuned.count..<($0 + 1) * tuned.count]) }
        var comparison = compare(cells, factors: [1] + plantFactors, scenario: scenario)
        comparison.precision = profiled.precision
        comparison.differences = differences(profiled, from: comparison.rows.map(\.policy), scenario: scenario)
        return PolicyStudy(
            comparison: comparison, first: profiled.first, figures: profiled.figures,
            requests: figures.joined().reduce(0) { $0 + $1.requests }, tunings: tunings)
    }

    /// The first policy shown against each of the others.
    private static func differences(
        _ runs: Replications, from shown: [String], scenario: Scenario
    ) -> [PolicyDifference] {
        let order = shown.map { label in runs.figures.firstIndex { $0[0].policy == label }! }
        return PolicyDifference.all(
            order.map { runs.figures[$0] }, whole: order.map { runs.first[$0] }, varied: scenario.whatReplicationsVary)
    }

    private static func compare(_ cells: [[[RunFigures]]], factors: [Double], scenario: Scenario) -> Comparison {
        let varied = scenario.whatReplicationsVary
        let ranks = cells.map { rank($0, classes: scenario.sloClasses) }
        let best = ranks[0].firstIndex(of: 1)
        var rows = cells[0].indices.map { policy -> ComparisonRow in
            let runs = cells[0][policy]
            func estimate(_ path: String...) -> Estimate {
                Estimate(over: runs.map { $0.value(path) ?? 0 }, varied: varied)
            }
            return ComparisonRow(
                policy: runs[0].policy, policyDigest: runs[0].policyDigest, rank: ranks[0][policy],
                cost: estimate("cost", "total_usd"),
                costAboveBest: best.flatMap { best in
                    guard best != policy else { return nil }
                    return Estimate(over: zip(runs, cells[0][best]).map { $0.cost - $1.cost }, varied: varied)
                },
                costPerMillionOutputTokens: estimate("cost", "usd_per_million_output_tokens"),
                attainment: estimate("slo", "attainment"), ttftP99: estimate("ttft_ms", "p99"),
                itlP99: estimate("itl_ms", "p99"), meanReplicas: estimate("replicas", "mean"),
                reversals: estimate("scaling", "reversals"),
                variants: factors.indices.dropFirst().map { plant in
                    let runs = cells[plant][policy]
                    return PlantVariant(
                        factor: factors[plant], cost: Estimate(over: runs.map(\.cost), varied: varied),
                        attainment: Estimate(
                            over: runs.map { $0.value(Headline.attainment.path) ?? 0 }, varied: varied),
                        rank: ranks[plant][policy])
                })
        }
        rows = rows.filter(\.meetsSLO).sorted { $0.rank! < $1.rank! } + rows.filter { !$0.meetsSLO }
        return Comparison(
            rows: rows, replications: cells[0][0].count, varied: varied,
            requiredAttainment: scenario.sloClasses.map(\.attainment).max() ?? 1)
    }

    /// Places by mean cost, from 1, of the policies whose mean attainment is what every class was promised; `nil` for the
    /// others: the cheapest fleet that breaks its promise is no answer.
    private static func rank(_ policies: [[RunFigures]], classes: [SLOClass]) -> [Int?] {
        let meeting = policies.indices.filter { policy in
            let runs = policies[policy]
            return classes.indices.allSatisfy { index in
                let mean = runs.reduce(0) { $0 + $1.classAttainments[index] } / Double(runs.count)
                return mean >= classes[index].attainment
            }
        }
        let costs = policies.map { runs in runs.reduce(0) { $0 + $1.cost } / Double(runs.count) }
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
    /// The mean of replications, with Student's 95 % interval from two on.
    public init(over values: [Double], varied: String) {
        let mean = values.reduce(0, +) / Double(values.count)
        guard let interval = ConfidenceInterval.student(values, level: 0.95) else {
            self.init(mean)
            return
        }
        self.init(mean, ci95: Bounds(lower: interval.lower, upper: interval.upper), varied: varied)
    }
}
