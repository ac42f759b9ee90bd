import Scaling
import Simulation

/// What tuning tried for one policy, and what it chose.
public struct TuningOutcome: Hashable, Sendable {
    public var policy: String
    public var parameter: String
    /// The candidates in the scenario's order, each with the cost of its run in USD and whether it met the SLO.
    public var trials: [Trial]
    public var chosen: ParameterValue
    public var seed: UInt64

    public struct Trial: Hashable, Sendable {
        public var candidate: ParameterValue
        public var cost: Double
        public var attainment: Double
        public var meetsSLO: Bool
    }
}

/// Chooses the tuned parameter of each policy that asks for it: the cheapest candidate that meets the SLO on the tuning
/// seed, or, when none does, the one of highest attainment.
///
/// The tuning seed is never the comparison's, so a policy is not judged on the very traffic it was fitted to.
///
/// - Returns: The policies with their parameters filled in, in order, and what was tried.
/// - Throws: `StudyStopped` when `progress` stopped a run, beside what runs throw.
public func tune(
    _ policies: [PolicyChoice], in scenario: Scenario, workers: Int,
    progress: (@Sendable (StudyProgress) -> Continuation)? = nil
) async throws -> (policies: [PolicyChoice], outcomes: [TuningOutcome]) {
    let trials = policies.flatMap { choice -> [RunPlan] in
        guard let tuning = choice.tuning else { return [] }
        return tuning.candidates.map {
            RunPlan(policy: choice.tuned(to: $0), options: RunOptions(seed: tuning.seed))
        }
    }
    guard !trials.isEmpty else { return (policies, []) }
    var results = try await runAll(trials, of: scenario, workers: workers, progress: progress)[...]
    var outcomes: [TuningOutcome] = []
    let tuned = policies.map { choice -> PolicyChoice in
        guard let tuning = choice.tuning else { return choice }
        let runs = zip(tuning.candidates, results.prefix(tuning.candidates.count)).map { candidate, run in
            TuningOutcome.Trial(
                candidate: candidate, cost: run.bill.total.dollars, attainment: run.attainment, meetsSLO: run.meetsSLO)
        }
        results = results.dropFirst(tuning.candidates.count)
        let meeting = runs.filter(\.meetsSLO)
        // `min` and `max` keep the first of equals, so the order of the candidates decides a tie.
        let best = meeting.min { $0.cost < $1.cost } ?? runs.max { $0.attainment < $1.attainment }
        let chosen = best!.candidate
        outcomes.append(
            TuningOutcome(
                policy: choice.label, parameter: tuning.parameter, trials: runs, chosen: chosen, seed: tuning.seed))
        return choice.tuned(to: chosen)
    }
    return (tuned, outcomes)
}

extension PolicyChoice {
    fileprivate func tuned(to candidate: ParameterValue) -> PolicyChoice {
        guard let tuning else { return self }
        var copy = self
        copy.parameters[tuning.parameter] = candidate
        copy.tuning = nil
        return copy
    }
}
