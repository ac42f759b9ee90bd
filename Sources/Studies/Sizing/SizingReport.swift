import FleetModel
import Scaling
import Simulation
import Statistics
import Units

/// Makes a table and an answer of a search that has ended.
struct SizingReport {
    let search: SizingSearch
    let answer: SizingCandidate?
    let scenario: Scenario

    private var candidates: SizingCandidates { search.candidates }
    private var varied: String { scenario.whatReplicationsVary }

    var result: SizingResult {
        let skipped = notPlayed
        let played = search.played.map { ($0, row(of: $0)) }.sorted { key($0.1) < key($1.1) }.map(\.1)
        return SizingResult(
            scenario: scenario.name, seed: scenario.seed, rule: search.rule, varied: varied,
            rows: played + skipped, unfilled: unfilled,
            unlisted: candidates.count - played.count - skipped.count - unfilled,
            answer: answer.map(describe), nearest: nil, candidates: candidates.count,
            exhaustiveRuns: candidates.count * search.rule.draws, runs: search.runs)
    }

    private func key(_ row: SizingRow) -> (Int, Double, String) {
        let order: [SizingRow.Verdict] = [.answer, .keeps, .dearer, .contradicted, .misses, .notPlayed]
        return (order.firstIndex(of: row.verdict)!, row.cost?.value ?? .infinity, row.name)
    }

    // MARK: - Rows

    private func row(of candidate: SizingCandidate) -> SizingRow {
        let trial = search.trials[candidate]!
        let verdict = verdict(of: candidate)
        return SizingRow(
            name: candidates.name(of: candidate), verdict: verdict, draws: trial.draws, misses: trial.misses,
            cost: Estimate(over: trial.outcomes.map(\.cost.dollars), varied: varied),
            attainments: trial.meanAttainments, reason: reason(verdict, candidate, trial))
    }

    private func verdict(of candidate: SizingCandidate) -> SizingRow.Verdict {
        if candidate == answer { return .answer }
        if search.isContradicted(candidate) { return .contradicted }
        if search.isRefuted(candidate) { return .misses }
        return search.isKept(candidate) ? .keeps : .dearer
    }

    private func reason(_ verdict: SizingRow.Verdict, _ candidate: SizingCandidate, _ trial: SizingTrial) -> String {
        switch verdict {
        case .answer: return "the cheapest that keeps every promise"
        case .keeps: return comparedWithAnswer(trial)
        case .dearer:
            guard let twin = search.twin(of: candidate) else { return comparedWithAnswer(trial) }
            return "does the same as \(candidates.name(of: twin))"
        case .contradicted:
            let fresh = search.fresh[candidate]!
            return "kept the promise while searching, but missed on \(fresh.misses) of \(fresh.draws) fresh draws"
        case .misses:
            if search.rule.refutes(misses: trial.misses, of: trial.draws) { return worstClass(trial) }
            if let twin = search.twin(of: candidate) {
                return "does the same as \(candidates.name(of: twin)) on the draws they share"
            }
            return candidate.isFixed ? "a larger fleet misses already" : "even the largest fleet misses"
        case .notPlayed: return ""
        }
    }

    private func comparedWithAnswer(_ trial: SizingTrial) -> String {
        guard let answer else { return "not followed further" }
        // On the draws they share: a busy day is dear for both.
        let own = trial.meanCost
        let other = SizingTrial(outcomes: Array(search.trials[answer]!.outcomes.prefix(trial.draws))).meanCost
        guard other > 0 else { return "costs no less" }
        let difference = own / other - 1
        if difference < 0 { return "saves \(percent(-difference)) at most, within what draws vary" }
        return difference < 0.0005 ? "costs the same" : "costs \(percent(difference)) more"
    }

    private func worstClass(_ trial: SizingTrial) -> String {
        let gaps = zip(trial.meanAttainments, scenario.sloClasses).map { $1.attainment - $0 }
        let worst = gaps.indices.max { gaps[$0] < gaps[$1] }!
        let sloClass = scenario.sloClasses[worst]
        if gaps[worst] <= 0 {
            let lowest = trial.outcomes.map { $0.attainments[worst] }.min()!
            return "\(sloClass.name): \(percent(lowest)) of \(percent(sloClass.attainment)) on its worst draw"
        }
        return "\(sloClass.name): \(percent(trial.meanAttainments[worst])) of \(percent(sloClass.attainment))"
    }

    /// Fixed fleets that leave a slot of a paid machine empty: one more replica costs nothing.
    private var unfilled: Int {
        candidates.fixedCount
            - candidates.fleets.reduce(0) { sum, fleet in
                sum + scenario.pools.indices.reduce(1) { $0 * fleet.levels(of: $1).count }
            }
    }

    /// Of a fleet with more combinations of counts than this, those that were not played are counted and not listed.
    private static let listed = 2000

    /// Candidates that no run was spent on, with the reason.
    private var notPlayed: [SizingRow] {
        let fixed = candidates.fleets.indices.flatMap { index -> [SizingRow] in
            let (fleet, lattice) = (candidates.fleets[index], search.lattices[index])
            let levels = scenario.pools.indices.map { fleet.levels(of: $0) }
            guard levels.reduce(1, { $0 * max(1, $1.count) }) <= Self.listed else { return [] }
            let all = levels.reduce([[]]) { combinations, levels in
                combinations.flatMap { counts in levels.map { counts + [$0] } }
            }
            return all.compactMap { counts in
                let candidate = SizingCandidate.fixed(fleet: index, counts: counts)
                guard search.trials[candidate] == nil else { return nil }
                let reason =
                    !fleet.isWithinCeiling(counts)
                    ? "above the spending ceiling"
                    : lattice.isRefuted(counts) ? "a larger fleet misses already" : "costs more than what was found"
                return SizingRow(
                    name: candidates.name(of: candidate), verdict: .notPlayed, draws: 0, misses: 0,
                    cost: Estimate(fleet.cost(of: counts).dollars), attainments: [], reason: reason)
            }
        }
        let policies = candidates.policies.indices.map { SizingCandidate.policy($0) }
            .filter { search.trials[$0] == nil }
            .map {
                SizingRow(
                    name: candidates.name(of: $0), verdict: .notPlayed, draws: 0, misses: 0, cost: nil,
                    attainments: [], reason: "even the largest fleet misses")
            }
        return fixed + policies
    }

    // MARK: - Answer

    private func describe(_ candidate: SizingCandidate) -> SizingAnswer {
        let fleet = candidates.fleet(of: candidate)
        let trial = search.trials[candidate]!
        let ways = scenario.sizing?.pools ?? scenario.pools.map { [PoolAlternative(configuration: $0)] }
        var counts: [Int]?
        if case .fixed(_, let held) = candidate { counts = held }
        return SizingAnswer(
            name: candidates.name(of: candidate), scenario: candidates.scenario(of: candidate),
            policy: candidates.choice(of: candidate), pools: zip(ways, fleet.choice).map { $0[$1] }, counts: counts,
            cost: Estimate(over: trial.outcomes.map(\.cost.dollars), varied: varied),
            freshCost: search.fresh[candidate].map {
                Estimate(over: $0.outcomes.map(\.cost.dollars), varied: varied)
            }, probability: probability(of: trial), freshProbability: search.fresh[candidate].map(probability))
    }

    private func probability(of trial: SizingTrial) -> Estimate {
        let interval = BinomialInterval.clopperPearson(
            successes: trial.draws - trial.misses, trials: trial.draws, level: 0.95)
        return Estimate(
            interval.estimate, ci95: Estimate.Bounds(lower: interval.lower, upper: interval.upper), varied: varied)
    }

    // MARK: - Nothing keeps the promise

    /// What comes nearest, and what stands in its way: one more run, looked at closely.
    func nearest(_ candidate: SizingCandidate, seed: UInt64?) throws -> SizingNearest {
        let trial = search.trials[candidate]!
        let result = try Simulation.run(
            candidates.scenario(of: candidate), policy: candidates.choice(of: candidate),
            options: RunOptions(seed: seed))
        return SizingNearest(
            name: candidates.name(of: candidate), draws: trial.draws, misses: trial.misses,
            cost: Estimate(over: trial.outcomes.map(\.cost.dollars), varied: varied),
            limits: SizingLimits(result, scenario: candidates.scenario(of: candidate)).sentences)
    }
}

/// A share as a percentage with one decimal, cut rather than rounded up: 98.96 % of 99 % must not read as 99.0 %.
func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000 + 1e-9).rounded(.down))
    return "\(tenths / 10).\(tenths % 10) %"
}
