import Units

/// Finds the cheapest candidate that keeps the promise, with few runs.
///
/// Every candidate faces the same draws in the same order, so that they differ by what they are and not by luck.
///
/// 1. Fixed fleets: what they cost is known without a run, and attainment rises with the count. With every other pool at
///    its largest, bisection finds for each pool the least count that is not refuted; no answer lies below.
/// 2. Policies: each plays one draw.
/// 3. The candidate that is likely to be the cheapest plays on: 2, 4, 8, … draws in all. Those refuted drop out, and so
///    do those whose cost, taken two standard errors low, is 99 % of the cheapest that kept the promise on all draws or
///    more. When nothing is left, that one is the answer.
/// 4. The answer plays as many fresh draws, which had no part in the choice. When they contradict it, the search goes on
///    without it.
///
/// - Source: successive halving, Jamieson and Talwalkar, *Non-stochastic best arm identification* (AISTATS 2016); the
///   1 % is an indifference zone of ranking and
///   selection (Kim and Nelson, *Handbooks in OR & MS* 13, ch. 17).
struct SizingSearch {
    typealias Play = ([(candidate: SizingCandidate, draw: Int)]) async throws -> [SizingOutcome]

    let candidates: SizingCandidates
    let rule: SizingRule
    /// Whether the answer plays fresh draws.
    let confirms: Bool
    let play: Play
    private(set) var lattices: [LevelLattice]
    private(set) var trials: [SizingCandidate: SizingTrial] = [:]
    /// The candidates that were played, in the order of their first run.
    private(set) var played: [SizingCandidate] = []
    /// What fresh draws said of candidates that were an answer for a while.
    private(set) var fresh: [SizingCandidate: SizingTrial] = [:]
    private(set) var runs = 0

    /// Gains below this share of the cost are not looked for.
    static let indifference = 0.01

    init(_ candidates: SizingCandidates, rule: SizingRule, confirms: Bool, play: @escaping Play) {
        self.candidates = candidates
        self.rule = rule
        self.confirms = confirms
        self.play = play
        lattices = candidates.fleets.indices.map { LevelLattice(fleet: $0, of: candidates) }
    }

    /// The cheapest candidate that keeps the promise on all draws and that fresh ones do not contradict; `nil` when there
    /// is none.
    mutating func run() async throws -> SizingCandidate? {
        for index in lattices.indices { try await findFloor(of: index) }
        try await extend(candidates.policies.indices.map { (.policy($0), 1) })
        while true {
            while true {
                let next = promising()
                guard !next.isEmpty else { break }
                try await extend(next)
            }
            guard let answer = cheapestKept() else { return nil }
            guard confirms else { return answer }
            try await confirm(answer)
            if !isContradicted(answer) { return answer }
            // A level above it may now be the cheapest.
            if case .fixed(let fleet, let counts) = answer { lattices[fleet].refute(counts) }
        }
    }

    // MARK: - Verdicts

    func isRefuted(_ candidate: SizingCandidate) -> Bool {
        if isContradicted(candidate) { return true }
        if case .fixed(let fleet, let counts) = candidate, lattices[fleet].isRefuted(counts) { return true }
        guard let trial = trials[candidate] else { return false }
        return rule.refutes(misses: trial.misses, of: trial.draws)
    }

    func isContradicted(_ candidate: SizingCandidate) -> Bool {
        guard let trial = fresh[candidate] else { return false }
        return rule.contradicts(misses: trial.misses, of: trial.draws)
    }

    /// Whether a candidate kept the promise on all draws.
    func isKept(_ candidate: SizingCandidate) -> Bool {
        trials[candidate]?.draws == rule.draws && !isRefuted(candidate)
    }

    /// The cheapest by mean cost of those that kept the promise on all draws; of equals the first that was played.
    private func cheapestKept() -> SizingCandidate? {
        played.filter(isKept).min { trials[$0]!.meanCost < trials[$1]!.meanCost }
    }

    // MARK: - Fixed fleets

    private mutating func findFloor(of lattice: Int) async throws {
        let levels = lattices[lattice].levels
        let top = lattices[lattice].top
        guard try await isPlausible(top, of: lattice) else { return }
        var floor = top
        for pool in levels.indices {
            var (low, high) = (0, levels[pool].count - 1)
            while low < high {
                let middle = (low + high) / 2
                var counts = top
                counts[pool] = levels[pool][middle]
                if try await isPlausible(counts, of: lattice) { high = middle } else { low = middle + 1 }
            }
            floor[pool] = levels[pool][low]
        }
        lattices[lattice].start(at: floor)
    }

    /// Plays a fleet until it meets on one draw or is refuted.
    private mutating func isPlausible(_ counts: [Int], of lattice: Int) async throws -> Bool {
        let candidate = SizingCandidate.fixed(fleet: lattices[lattice].fleet, counts: counts)
        while !isRefuted(candidate) {
            let trial = trials[candidate] ?? SizingTrial()
            if trial.misses < trial.draws { return true }
            try await extend([(candidate, trial.draws + 1)])
        }
        return false
    }

    // MARK: - The most promising

    /// A candidate that may still be the answer.
    private struct Open {
        var candidate: SizingCandidate
        /// Expected mean cost over all draws, in USD.
        var cost: Double
        var draws: Int
    }

    /// Candidates to play on, with the draws they are to have then: the one that is likely to be the cheapest, and after
    /// it others until there is work for several processors. Empty when no candidate can better the cheapest so far.
    private mutating func promising() -> [(SizingCandidate, Int)] {
        var open = openCandidates()
        var (next, work) = ([(SizingCandidate, Int)](), 0)
        while work < 4, let low = open.map(\.cost).min() {
            // Among those that cost about the same: a fixed fleet, which is simplest, then the one that is known best.
            let near = open.indices.filter { open[$0].cost <= low * (1 + Self.indifference) }
            let index = near.first { open[$0].candidate.isFixed } ?? near.max { open[$0].draws < open[$1].draws }!
            let draws = nextDraws(of: open[index].candidate)
            next.append((open[index].candidate, draws))
            work += draws - open[index].draws
            open.remove(at: index)
        }
        return next
    }

    private mutating func openCandidates() -> [Open] {
        let best = cheapestKept()
        let limit = best.map { trials[$0]!.meanCost } ?? .infinity
        var open: [Open] = []
        for index in lattices.indices {
            guard let (counts, cost) = lattices[index].cheapest(), cost.dollars < limit else { continue }
            let candidate = SizingCandidate.fixed(fleet: lattices[index].fleet, counts: counts)
            guard !isKept(candidate) else { continue }
            open.append(Open(candidate: candidate, cost: cost.dollars, draws: trials[candidate]?.draws ?? 0))
        }
        let outlook = CostOutlook(trials: policyTrials, reference: best.map { trials[$0]! }, draws: rule.draws)
        for index in candidates.policies.indices {
            let candidate = SizingCandidate.policy(index)
            guard !isRefuted(candidate), !isKept(candidate) else { continue }
            let (expected, low) = outlook.cost(of: trials[candidate]!)
            guard low < limit * (1 - Self.indifference) else { continue }
            open.append(Open(candidate: candidate, cost: expected, draws: trials[candidate]!.draws))
        }
        return open
    }

    private var policyTrials: [SizingTrial] { candidates.policies.indices.compactMap { trials[.policy($0)] } }

    /// Twice as many draws, or one more for a candidate that misses more than it may: it is likely to be out at once.
    private func nextDraws(of candidate: SizingCandidate) -> Int {
        let trial = trials[candidate] ?? SizingTrial()
        let isMissing = Double(trial.misses) > rule.risk * Double(trial.draws)
        return isMissing || trial.draws == 0 ? trial.draws + 1 : min(rule.draws, 2 * trial.draws)
    }

    // MARK: - Playing

    /// Plays candidates on further draws, up to the number given for each.
    private mutating func extend(_ targets: [(candidate: SizingCandidate, draws: Int)]) async throws {
        let wanted = targets.flatMap { target in
            ((trials[target.candidate]?.draws ?? 0)..<target.draws).map { (candidate: target.candidate, draw: $0) }
        }
        let outcomes = try await play(wanted)
        runs += wanted.count
        for (run, outcome) in zip(wanted, outcomes) {
            if trials[run.candidate] == nil { played.append(run.candidate) }
            trials[run.candidate, default: SizingTrial()].outcomes.append(outcome)
        }
        for case (.fixed(let fleet, let counts), _) in targets where isRefuted(.fixed(fleet: fleet, counts: counts)) {
            if !lattices[fleet].isRefuted(counts) { lattices[fleet].refute(counts) }
        }
    }

    /// Plays draws that come after those of the search.
    private mutating func confirm(_ candidate: SizingCandidate) async throws {
        let wanted = (rule.draws..<2 * rule.draws).map { (candidate: candidate, draw: $0) }
        fresh[candidate] = SizingTrial(outcomes: try await play(wanted))
        runs += wanted.count
    }
}
