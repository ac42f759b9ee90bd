import Units

/// Finds the cheapest candidate that keeps the promise, with few runs.
///
/// Every candidate faces the same draws in the same order, so that they differ by what they are and not by luck.
///
/// 1. Fixed fleets: what they cost is known without a run, and attainment rises with the count. The largest fleet plays a
///    few draws: where it misses too often, no count and no policy can keep the promise. With every other pool at its
///    largest, bisection then finds for each pool the least count that is not refuted; no answer lies below.
/// 2. Policies: each plays one draw, on fleets whose largest size is not refuted.
///    Where a candidate misses later, the largest size plays that draw too: a day on which nothing helps counts for all.
/// 3. The candidate that is likely to be the cheapest plays on: 2, 4, 8, … draws in all. Those refuted drop out, and so
///    do those whose cost, taken two standard errors low, is 99 % of the cheapest that kept the promise on all draws or
///    more. Policies that did the very same on every draw they share are played once. When nothing is left, the cheapest
///    that kept the promise is the answer.
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
    /// By fleet, whether its largest size met on the draws it was played on, of the search.
    private var largest: [[Int: Bool]]
    private(set) var runs = 0

    /// Gains below this share of the cost are not looked for.
    static let indifference = 0.01

    init(_ candidates: SizingCandidates, rule: SizingRule, confirms: Bool, play: @escaping Play) {
        self.candidates = candidates
        self.rule = rule
        self.confirms = confirms
        self.play = play
        lattices = candidates.fleets.indices.map { LevelLattice(fleet: $0, of: candidates) }
        largest = candidates.fleets.map { _ in [:] }
    }

    /// The cheapest candidate that keeps the promise on all draws and that fresh ones do not contradict; `nil` when there
    /// is none.
    mutating func run() async throws -> SizingCandidate? {
        for index in lattices.indices { try await findFloor(of: index) }
        let hopeful = candidates.policies.indices.filter { !isHopeless(fleet: candidates.policies[$0].fleet) }
        try await extend(hopeful.map { (.policy($0), 1) })
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
        if case .policy(let index) = candidate, isHopeless(fleet: candidates.policies[index].fleet) { return true }
        guard let trial = trials[candidate] else { return false }
        if rule.refutes(misses: trial.misses, of: trial.draws) { return true }
        // Once may be chance; on two draws or more the same parameters make no difference.
        guard trial.draws >= 2, let twin = twin(of: candidate) else { return false }
        return rule.refutes(misses: trials[twin]!.misses, of: trials[twin]!.draws)
    }

    /// A policy on the same fleet that is played in a candidate's place: it had the very same outcome, to the nanodollar,
    /// on every draw the candidate was played on, and comes first by draws, then in order.
    func twin(of candidate: SizingCandidate) -> SizingCandidate? {
        guard case .policy(let index) = candidate, let trial = trials[candidate] else { return nil }
        return candidates.policies.indices.first { other in
            guard other != index, candidates.policies[other].fleet == candidates.policies[index].fleet,
                let lead = trials[.policy(other)],
                lead.draws > trial.draws || (lead.draws == trial.draws && other < index)
            else { return false }
            return lead.outcomes.starts(with: trial.outcomes)
        }.map { .policy($0) }
    }

    /// Whether even the largest size of a fleet misses too often: no policy ever has more replicas than that.
    func isHopeless(fleet: Int) -> Bool { lattices[fleet].isRefuted(lattices[fleet].top) }

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
        let largest = SizingCandidate.fixed(fleet: lattices[lattice].fleet, counts: top)
        for draws in [1, 2, 4, 8] where draws <= rule.draws {
            // One that misses again and again is out by the rule; one that meets at first is hardly ever.
            if draws > 2, trials[largest]!.misses == 0 { break }
            try await extend([(largest, draws)])
            if isRefuted(largest) { return }
        }
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
            // The limit is a mean of Doubles: a fleet of the same price must not slip below it by a rounding.
            guard let (counts, cost) = lattices[index].cheapest(), cost.dollars < limit * (1 - 1e-9) else { continue }
            let candidate = SizingCandidate.fixed(fleet: lattices[index].fleet, counts: counts)
            guard !isKept(candidate) else { continue }
            open.append(Open(candidate: candidate, cost: cost.dollars, draws: trials[candidate]?.draws ?? 0))
        }
        let outlook = CostOutlook(trials: policyTrials, reference: best.map { trials[$0]! }, draws: rule.draws)
        for index in candidates.policies.indices {
            let candidate = SizingCandidate.policy(index)
            guard trials[candidate] != nil, !isRefuted(candidate), !isKept(candidate) else { continue }
            // Its twin is played for it; when that one is out, a second draw must show that the two are the same.
            if let twin = twin(of: candidate), !isRefuted(twin) { continue }
            let (expected, low) = outlook.cost(of: trials[candidate]!)
            guard low < limit * (1 - Self.indifference) else { continue }
            open.append(Open(candidate: candidate, cost: expected, draws: trials[candidate]!.draws))
        }
        return open
    }

    private var policyTrials: [SizingTrial] { candidates.policies.indices.compactMap { trials[.policy($0)] } }

    /// Twice as many draws, or one more for a candidate that misses more than it may, or whose twin is out: it is likely
    /// to be out at once.
    private func nextDraws(of candidate: SizingCandidate) -> Int {
        let trial = trials[candidate] ?? SizingTrial()
        if twin(of: candidate) != nil { return trial.draws + 1 }
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
        try await tellBadDays(zip(wanted, outcomes).map { ($0.candidate, $0.draw, $1) })
    }

    /// Plays the largest size of a fleet on draws on which something smaller missed.
    private mutating func tellBadDays(_ told: [(SizingCandidate, Int, SizingOutcome)]) async throws {
        var wanted: [(candidate: SizingCandidate, draw: Int)] = []
        for (candidate, draw, outcome) in told {
            let fleet = candidates.index(of: candidate)
            let top = SizingCandidate.fixed(fleet: fleet, counts: lattices[fleet].top)
            if candidate == top {
                largest[fleet][draw] = outcome.isMet
            } else if !outcome.isMet, largest[fleet][draw] == nil,
                !wanted.contains(where: { $0.candidate == top && $0.draw == draw })
            {
                wanted.append((top, draw))
            }
        }
        guard !wanted.isEmpty else { return }
        let outcomes = try await play(wanted)
        runs += wanted.count
        for (run, outcome) in zip(wanted, outcomes) {
            largest[candidates.index(of: run.candidate)][run.draw] = outcome.isMet
        }
        for fleet in lattices.indices where !isHopeless(fleet: fleet) {
            let misses = largest[fleet].values.count { !$0 }
            if misses > rule.allowedMisses { lattices[fleet].refute(lattices[fleet].top) }
        }
    }

    /// Plays draws that come after those of the search.
    private mutating func confirm(_ candidate: SizingCandidate) async throws {
        let wanted = (rule.draws..<2 * rule.draws).map { (candidate: candidate, draw: $0) }
        fresh[candidate] = SizingTrial(outcomes: try await play(wanted))
        runs += wanted.count
    }
}
