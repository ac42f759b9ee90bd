import Simulation
import Units

/// Sizing by trying everything: what `SizingStudy` is measured against.
public struct ExhaustiveSizing: Sendable {
    /// The cheapest candidate that keeps the promise, with its mean cost in USD; `nil` when none does.
    public var answer: (name: String, cost: Double)?
    public var runs: Int

    /// Plays every candidate on every draw of the rule: each count within the bounds, each policy with each combination
    /// of parameters.
    public static func run(
        _ scenario: Scenario, rule: SizingRule, seed: UInt64? = nil, workers: Int
    ) async throws -> ExhaustiveSizing {
        let candidates = try SizingCandidates(scenario)
        var answer: (name: String, cost: Double)?
        var runs = 0
        for candidate in candidates.everything {
            let draws = (0..<rule.draws).map { (candidate: candidate, draw: $0) }
            let trial = SizingTrial(
                outcomes: try await SizingStudy.play(draws, of: candidates, seed: seed, workers: workers))
            runs += draws.count
            guard trial.misses <= rule.allowedMisses, trial.meanCost < answer?.cost ?? .infinity else { continue }
            answer = (candidates.name(of: candidate), trial.meanCost)
        }
        return ExhaustiveSizing(answer: answer, runs: runs)
    }
}

extension SizingCandidates {
    /// Every candidate, one by one.
    var everything: [SizingCandidate] {
        let fixed = fleets.indices.flatMap { index -> [SizingCandidate] in
            var counts: [[Int]] = [[]]
            for pool in fleets[index].scenario.pools {
                let range = pool.bounds.minimum...pool.bounds.maximum
                counts = counts.flatMap { head in range.map { head + [$0] } }
            }
            return counts.filter(fleets[index].isWithinCeiling).map { .fixed(fleet: index, counts: $0) }
        }
        return fixed + policies.indices.map { .policy($0) }
    }
}
