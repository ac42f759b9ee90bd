import FleetModel
import Randomness
import Scaling
import Simulation
import Testing
import Units

@testable import Studies

@Suite struct SizingRuleTests {
    @Test func `as many draws as prove a fleet that never misses, and no more misses than the risk allows`() {
        #expect(SizingRule(risk: 0.05).draws == 59)
        #expect(SizingRule(risk: 0.1).draws == 29)
        let rule = SizingRule(risk: 0.05, draws: 60)
        #expect(rule.allowedMisses == 3)
        #expect(rule.refutes(misses: 4, of: 60) && !rule.refutes(misses: 3, of: 60))
        // Three of three happen to a fleet at the risk once in 8,000 studies, two of two once in 400.
        #expect(rule.refutes(misses: 3, of: 3) && !rule.refutes(misses: 2, of: 2) && !rule.refutes(misses: 3, of: 10))
        #expect(rule.contradicts(misses: 7, of: 60) && !rule.contradicts(misses: 6, of: 60))
    }
}

/// A world without simulation: what each candidate costs and whether it meets is drawn, with attainment that rises with
/// counts and with money spent.
private struct DrawnWorld: Sendable {
    let candidates: SizingCandidates
    let seed: UInt64
    private let stream: CounterStream
    /// Draws from which on nothing meets, for a world whose fresh draws contradict.
    var badFrom = Int.max

    init(seed: UInt64) throws {
        candidates = try SizingCandidates(SizingCases.scenario(seed: seed))
        self.seed = seed
        stream = CounterStream(seed: seed, names: "drawn-world")
    }

    func outcome(_ candidate: SizingCandidate, _ draw: Int) -> SizingOutcome {
        let day = stream.normal(at: UInt64(draw))
        let fleet = candidates.fleet(of: candidate)
        let top = fleet.scenario.pools.map { Double($0.bounds.maximum) }
        // What a draw asks of each pool, in replicas.
        let need = top.indices.map { pool in
            top[pool] * (0.1 + 0.6 * stream.uniform(at: 1000 + UInt64(pool))) + 0.6 * day
        }
        switch candidate {
        case .fixed(_, let counts):
            let isMet = zip(counts, need).allSatisfy { Double($0) >= $1 } && draw < badFrom
            return SizingOutcome(cost: fleet.cost(of: counts), attainments: [isMet ? 1 : 0.5], isMet: isMet)
        case .policy(let index):
            // In some worlds policies are good at following demand, in others a fixed fleet is cheaper.
            let premium = 1 + 2 * stream.uniform(at: 5000)
            let generosity = 0.4 + stream.uniform(at: 2000 + UInt64(index))
            let noise = stream.normal(at: 10_000 + UInt64(index) * 1000 + UInt64(draw))
            let base = fleet.cost(of: need.map { max(1, Int($0.rounded(.up))) }).dollars
            let isMet = generosity + 0.1 * noise > 0.7 + 0.05 * day
            return SizingOutcome(
                cost: USD(nanodollars: Int64(base * premium * generosity * (1 + 0.02 * noise) * 1e9)),
                attainments: [isMet ? 1 : 0.5], isMet: isMet)
        }
    }

    /// The cheapest of all that misses no more often than allowed.
    func exhaustive(_ rule: SizingRule) -> Double? {
        candidates.everything.compactMap { candidate -> Double? in
            let trial = SizingTrial(outcomes: (0..<rule.draws).map { outcome(candidate, $0) })
            return trial.misses <= rule.allowedMisses ? trial.meanCost : nil
        }.min()
    }

    func search(_ rule: SizingRule, confirms: Bool = false) -> SizingSearch {
        SizingSearch(candidates, rule: rule, confirms: confirms) { runs in
            runs.map { outcome($0.candidate, $0.draw) }
        }
    }
}

@Suite struct SizingSearchTests {
    @Test func `on drawn worlds the answer is within 2 % of the best, at a tenth of the runs`() async throws {
        let rule = SizingRule(risk: 0.05)
        var (runs, all, solved, fixed) = (0, 0, 0, 0)
        for seed in UInt64(1)...60 {
            let world = try DrawnWorld(seed: seed)
            var search = world.search(rule)
            let answer = try await search.run()
            let best = world.exhaustive(rule)
            #expect((answer == nil) == (best == nil), "seed \(seed)")
            runs += search.runs
            all += world.candidates.count * rule.draws
            guard let answer, let best else { continue }
            solved += 1
            if answer.isFixed { fixed += 1 }
            #expect(search.trials[answer]!.meanCost <= 1.02 * best, "seed \(seed)")
            #expect(search.isKept(answer), "seed \(seed)")
        }
        #expect(solved > 30 && fixed > 10 && fixed < solved - 10, "\(fixed) of \(solved) answers are fixed")
        #expect(Double(runs) < 0.1 * Double(all), "\(runs) of \(all)")
    }

    @Test func `an answer that fresh draws contradict is not given`() async throws {
        let rule = SizingRule(risk: 0.1)
        var seen = 0
        for seed in UInt64(1)...20 {
            var world = try DrawnWorld(seed: seed)
            var search = world.search(rule, confirms: true)
            guard let first = try await search.run(), first.isFixed else { continue }
            seen += 1
            #expect(search.fresh[first]?.draws == rule.draws)
            // Now every fixed fleet fails on all fresh draws.
            world.badFrom = rule.draws
            var strict = world.search(rule, confirms: true)
            let second = try await strict.run()
            #expect(second?.isFixed != true, "seed \(seed)")
            #expect(strict.isContradicted(first), "seed \(seed)")
        }
        #expect(seen > 2)
    }
}

@Suite struct SizingStudyTests {
    /// One pool on machines of two, a short spell of traffic, and a promise that a few replicas keep.
    private func scenario(ttft: TimeSpan = .seconds(2), minutes: Int64 = 4) -> Scenario {
        var scenario = SizingCases.scenario(seed: 2)
        scenario.sizing = nil
        scenario.pools = [scenario.pools[0]]
        scenario.pools[0].replicasPerInstance = 2
        scenario.pools[0].bounds = ReplicaBounds(minimum: 1, maximum: 6)
        scenario.priceBook.prices[0].accelerators = 2
        scenario.sources = [scenario.sources[0]]
        scenario.sources[0].rate = .constant(3)
        scenario.sloClasses = [SLOClass(name: "all", ttft: ttft, attainment: 0.9)]
        scenario.duration = .minutes(minutes)
        scenario.policies = [
            PolicyChoice(
                label: "hpa", policy: "hpa", parameters: [:],
                tuning: PolicyTuning(
                    parameter: "target_per_replica", candidates: [.number(2), .number(5)], seed: 1))
        ]
        return scenario
    }

    @Test(arguments: [(1, Int64(1)), (3, 1), (6, 3600)])
    func `what a fixed fleet costs is known to the nanodollar without a run`(count: Int, increment: Int64) throws {
        var scenario = scenario(minutes: 12)
        scenario.priceBook.prices[0].billing.increment = .seconds(increment)
        let candidates = try SizingCandidates(scenario)
        let candidate = SizingCandidate.fixed(fleet: 0, counts: [count])
        let run = try Simulation.run(
            candidates.scenario(of: candidate), policy: candidates.choice(of: candidate))
        #expect(run.bill.total == candidates.fleets[0].cost(of: [count]))
        #expect(run.pools[0].maxReplicas == count && run.scaling.changes == 0)
    }

    @Test func `the answer is that of trying everything, whatever the number of workers`() async throws {
        let rule = SizingRule(risk: 0.1, draws: 10)
        let found = try await SizingStudy.run(scenario(), rule: rule, confirms: false, workers: 1)
        let again = try await SizingStudy.run(scenario(), rule: rule, confirms: false, workers: 3)
        let full = try await ExhaustiveSizing.run(scenario(), rule: rule, workers: 2)
        let answer = try #require(found.answer)
        let best = try #require(full.answer)
        #expect(answer.cost.value <= 1.02 * best.cost)
        #expect(found.rows.map(\.reason) == again.rows.map(\.reason) && found.runs == again.runs)
        #expect(found.runs < full.runs && found.exhaustiveRuns == full.runs)
        #expect(found.rows[0].verdict == .answer && found.rows[0].draws == 10)
        // Nothing vanishes: what was not played is listed with its reason, or counted.
        #expect(found.rows.count + found.unfilled + found.unlisted == found.candidates)
        #expect(found.unlisted == 0 && found.rows.allSatisfy { !$0.reason.isEmpty })
        #expect(answer.probability.ci95!.lower < answer.probability.value)
    }

    @Test func `when nothing keeps the promise the nearest and its limits are told`() async throws {
        let rule = SizingRule(risk: 0.1, draws: 10)
        let hopeless = try await SizingStudy.run(
            scenario(ttft: .milliseconds(1)), rule: rule, workers: 2)
        #expect(hopeless.answer == nil)
        let nearest = try #require(hopeless.nearest)
        #expect(nearest.misses == nearest.draws && nearest.draws > 0)
        #expect(nearest.limits.contains { $0.contains("more replicas cannot help") })
        #expect(hopeless.rows.count + hopeless.unfilled + hopeless.unlisted == hopeless.candidates)
        #expect(hopeless.rows.allSatisfy { $0.verdict == .misses || $0.verdict == .notPlayed })
    }
}
