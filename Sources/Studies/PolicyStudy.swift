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
    /// What was left undone when the study was stopped; `nil` when it went to its end. The comparison is then over the
    /// replications, and on the plants, that every policy has played whole.
    public var interruption: Interruption?

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
    /// - Throws: `StudyStopped` when `progress` stopped it before every policy had played one replication whole, beside
    ///   what runs throw.
    public static func run(
        _ scenario: Scenario, policies: [PolicyChoice], count: ReplicationCount, seed: UInt64? = nil, workers: Int,
        progress: (@Sendable (StudyProgress) -> Continuation)? = nil
    ) async throws -> PolicyStudy {
        let (tuned, tunings) = try await tune(policies, in: scenario, workers: workers, progress: progress)
        let cells = try await play(tuned, of: scenario, count: count, seed: seed, workers: workers, progress: progress)
        let profiled = cells.plants[0]
        var comparison = compare(
            cells.plants.map(\.figures), factors: ([1] + plantFactors).prefix(cells.plants.count), scenario: scenario)
        comparison.precision = profiled.precision
        comparison.differences = differences(profiled, from: comparison.rows.map(\.policy), scenario: scenario)
        comparison.addClairvoyant(profiled.figures, result: profiled.first[0], scenario: scenario)
        return PolicyStudy(
            comparison: comparison, first: profiled.first, figures: profiled.figures,
            requests: cells.plants.flatMap(\.figures).joined().reduce(0) { $0 + $1.requests }, tunings: tunings,
            interruption: cells.interruption)
    }

    /// The policies on each plant that all of them have played, the one as profiled first.
    private static func play(
        _ policies: [PolicyChoice], of scenario: Scenario, count: ReplicationCount, seed: UInt64?, workers: Int,
        progress: (@Sendable (StudyProgress) -> Continuation)?
    ) async throws -> (plants: [Replications], interruption: Interruption?) {
        func play(_ factors: [Double], _ count: ReplicationCount) async throws -> Replications {
            var cells = factors.flatMap { factor in policies.map { PolicyOnPlant($0, plantFactor: factor) } }
            cells[0].findsClairvoyant = factors[0] == 1
            return try await Replications.play(
                cells, of: scenario, count: count, seed: seed, workers: workers, progress: progress)
        }
        // One batch of runs where their number is known, so that no worker waits for the end of a plant.
        if case .exactly = count {
            let runs = try await play([1] + plantFactors, count)
            let plants = runs.plants(of: policies.count)
            guard !plants.isEmpty else { throw StudyStopped(first: runs.first[0], interruption: runs.interruption!) }
            return (plants, runs.interruption)
        }
        let profiled = try await play([1], count)
        guard profiled.figures.count == policies.count else {
            throw StudyStopped(first: profiled.first[0], interruption: profiled.interruption!)
        }
        if let interruption = profiled.interruption {
            return ([profiled], interruption.amongPlants(1 + plantFactors.count))
        }
        let others: [Replications]
        var interruption: Interruption?
        do {
            let runs = try await play(plantFactors, .exactly(profiled.count))
            interruption = runs.interruption
            others = runs.plants(of: policies.count).filter { $0.count == profiled.count }
        } catch let stopped as StudyStopped {
            (others, interruption) = ([], stopped.interruption)
        }
        let whole = profiled.count * policies.count
        return (
            [profiled] + others,
            interruption.map { Interruption(ended: $0.ended + whole, planned: $0.planned + whole) }
        )
    }

    /// The first policy shown against each of the others.
    private static func differences(
        _ runs: Replications, from shown: [String], scenario: Scenario
    ) -> [PolicyDifference] {
        let order = shown.map { label in runs.figures.firstIndex { $0[0].policy == label }! }
        return PolicyDifference.all(
            order.map { runs.figures[$0] }, whole: order.map { runs.first[$0] }, varied: scenario.whatReplicationsVary)
    }

    private static func compare(
        _ cells: [[[RunFigures]]], factors: ArraySlice<Double>, scenario: Scenario
    ) -> Comparison {
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
                attainment: Estimate(attainmentOf: runs, varied: varied), ttftP99: estimate("ttft_ms", "p99"),
                itlP99: estimate("itl_ms", "p99"), meanReplicas: estimate("replicas", "mean"),
                reversals: estimate("scaling", "reversals"),
                variants: factors.indices.dropFirst().map { plant in
                    let runs = cells[plant][policy]
                    return PlantVariant(
                        factor: factors[plant], cost: Estimate(over: runs.map(\.cost), varied: varied),
                        attainment: Estimate(attainmentOf: runs, varied: varied),
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

extension Replications {
    /// The same by plant, each with so many policies; without a plant that some policy has not played.
    fileprivate func plants(of policies: Int) -> [Replications] {
        (0..<figures.count / policies).map { plant in
            let cells = plant * policies..<(plant + 1) * policies
            return Replications(first: Array(first[cells]), figures: Array(figures[cells]))
        }
    }
}

extension Interruption {
    /// The same with as many runs planned on each of several plants, of which it is the first.
    fileprivate func amongPlants(_ plants: Int) -> Interruption {
        Interruption(ended: ended, planned: planned * plants)
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
    public init(attainmentOf runs: [RunFigures], varied: String) {
        let shares = runs.map { $0.value(Headline.attainment.path) ?? 0 }
        self.init(shares.reduce(0, +) / Double(shares.count))
        let trials = runs.reduce(0) { $0 + Int($1.requests) }
        guard let interval = ConfidenceInterval.ofShare(shares, trials: trials, level: 0.95) else { return }
        ci95 = Bounds(lower: interval.lower, upper: interval.upper)
        self.varied = varied
    }
}
