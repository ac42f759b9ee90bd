import FleetModel
import Scaling
import Simulation
import Statistics
import Units

/// How far sizing has come.
public struct SizingProgress: Sendable {
    public var runs: Int
    /// Candidates that were played, of how many.
    public var played: Int
    public var candidates: Int
    /// What is being played, in words.
    public var candidate: String
}

/// Sizes a fleet: the cheapest pools, counts and policy parameters that keep every SLO class's promise.
public enum SizingStudy {
    /// Searches the scenario's candidates.
    ///
    /// The result depends on the arguments alone but for `workers`, on which it does not.
    ///
    /// - Parameters:
    ///   - confirms: Whether the answer plays as many fresh draws, which had no part in the choice.
    ///   - seed: In place of the scenario's.
    ///   - workers: Runs at a time. At least 1.
    ///   - progress: Called before each batch of runs.
    /// - Throws: `PricingError` or `SimulationError` when the scenario cannot be run.
    public static func run(
        _ scenario: Scenario, rule: SizingRule, confirms: Bool = true, seed: UInt64? = nil, workers: Int,
        progress: (@Sendable (SizingProgress) -> Void)? = nil
    ) async throws -> SizingResult {
        let candidates = try SizingCandidates(scenario)
        let counter = SizingCounter(candidates: candidates, report: progress)
        var search = SizingSearch(candidates, rule: rule, confirms: confirms) { runs in
            await counter.begin(runs.map(\.candidate))
            return try await play(runs, of: candidates, seed: seed, workers: workers)
        }
        let answer = try await search.run()
        var result = SizingReport(search: search, answer: answer, scenario: scenario).result
        result.seed = seed ?? scenario.seed
        if answer == nil, let nearest = search.nearest {
            result.nearest = try SizingReport(search: search, answer: nil, scenario: scenario).nearest(
                nearest, seed: seed)
        }
        return result
    }

    /// Plays runs in parallel and returns their outcomes in order.
    static func play(
        _ runs: [(candidate: SizingCandidate, draw: Int)], of candidates: SizingCandidates, seed: UInt64?, workers: Int
    ) async throws -> [SizingOutcome] {
        precondition(workers >= 1, "a study needs a worker")
        return try await withThrowingTaskGroup(of: (Int, SizingOutcome).self) { group in
            var outcomes: [SizingOutcome?] = Array(repeating: nil, count: runs.count)
            var next = 0
            func start() {
                guard next < runs.count else { return }
                let (index, run) = (next, runs[next])
                next += 1
                group.addTask {
                    let result = try Simulation.run(
                        candidates.scenario(of: run.candidate), policy: candidates.choice(of: run.candidate),
                        options: RunOptions(seed: seed, replication: run.draw))
                    return (index, SizingOutcome(result))
                }
            }
            for _ in 0..<workers { start() }
            while let (index, outcome) = try await group.next() {
                outcomes[index] = outcome
                start()
            }
            return outcomes.map { $0! }
        }
    }
}

extension SizingOutcome {
    /// What a run says of its candidate.
    init(_ result: RunResult) {
        self.init(
            cost: result.bill.total, attainments: result.sloClasses.map(\.attainment), isMet: result.meetsSLO)
    }
}

/// Counts runs and candidates for those who watch.
private actor SizingCounter {
    private let candidates: SizingCandidates
    private let report: (@Sendable (SizingProgress) -> Void)?
    private var runs = 0
    private var played: Set<SizingCandidate> = []

    init(candidates: SizingCandidates, report: (@Sendable (SizingProgress) -> Void)?) {
        self.candidates = candidates
        self.report = report
    }

    func begin(_ batch: [SizingCandidate]) {
        guard let report, let first = batch.first else { return }
        played.formUnion(batch)
        report(
            SizingProgress(
                runs: runs, played: played.count, candidates: candidates.count, candidate: candidates.name(of: first)))
        runs += batch.count
    }
}

extension SizingSearch {
    /// Of candidates that were played, the one that misses on the smallest share of draws; of equals the one whose worst
    /// class comes nearest to its promise.
    var nearest: SizingCandidate? {
        let promises = candidates.fleets[0].scenario.sloClasses.map(\.attainment)
        func gap(_ trial: SizingTrial) -> Double {
            zip(trial.meanAttainments, promises).map { $1 - $0 }.max() ?? 0
        }
        return played.min { a, b in
            let (left, right) = (trials[a]!, trials[b]!)
            let shares = (left.misses * right.draws, right.misses * left.draws)
            return shares.0 != shares.1 ? shares.0 < shares.1 : gap(left) < gap(right)
        }
    }
}
