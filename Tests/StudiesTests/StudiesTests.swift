import FleetModel
import Simulation
import Statistics
import Testing
import Units

@testable import Studies

@Suite struct PolicyStudyTests {
    /// A pool of short steps under `load` sequences' worth of requests; policies hold fixed levels.
    private func scenario(requests: Int = 600, attainment: Double = 0.9) -> Scenario {
        Fixture.scenario(requests: requests, attainment: attainment)
    }

    private func level(_ replicas: Int) -> PolicyChoice { Fixture.level(replicas) }

    @Test func `a study that is stopped keeps what was played whole, ends what is under way and begins no more`()
        async throws
    {
        let scenario = scenario(requests: 200)
        let plans = (0..<6).map { RunPlan(policy: level(2), options: RunOptions(replication: $0)) }
        let whole = try await runAll(plans, of: scenario, workers: 1)
        let some = try await runUntilStopped(plans, of: scenario, workers: 1) {
            $0.ended < 2 || $0.share < 0.4 ? .goOn : .stop
        }
        #expect(some.map { $0?.fingerprint }.prefix(2) == whole.map(\.fingerprint).prefix(2))
        #expect(some.prefix(2).allSatisfy { $0?.stoppedAt == nil })
        let part = try #require(some[2])
        #expect(part.stoppedAt != nil)
        #expect(part.outcomes.arrived > 0)
        #expect(part.outcomes.arrived < whole[2].outcomes.arrived)
        #expect(some[3...].allSatisfy { $0 == nil })
        #expect(Interruption(some) == Interruption(ended: 2, planned: 6))
        #expect(Interruption(whole) == nil)
        await #expect(throws: StudyStopped.self) {
            try await runAll(plans, of: scenario, workers: 2) { _ in .stop }
        }
    }

    @Test(
        arguments: [(0, nil, 0), (1, nil, 0), (2, 1, 1), (5, 1, 2), (6, 1, 3), (11, 1, 3), (12, 2, 3)]
            as [(Int, Int?, Int)])
    func `a stopped comparison is over what every policy has played whole`(
        ended: Int, replications: Int?, plants: Int
    ) async throws {
        // Two policies, two replications of each on three plants: twelve runs, here one after the
        // other, a replication at a time.
        let scenario = scenario(requests: 200)
        func study() async throws -> PolicyStudy {
            try await PolicyStudy.run(scenario, policies: [level(1), level(3)], count: .exactly(2), workers: 1) {
                $0.ended < ended ? .goOn : .stop
            }
        }
        guard let replications else {
            await #expect {
                _ = try await study()
            } throws: { error in
                guard let stopped = error as? StudyStopped, let first = stopped.first else { return false }
                return stopped.interruption == Interruption(ended: ended, planned: 12)
                    && (first.stoppedAt != nil) == (ended == 0)
            }
            return
        }
        let part = try await study()
        #expect(part.interruption == (ended < 12 ? Interruption(ended: ended, planned: 12) : nil))
        #expect(part.comparison.replications == replications)
        #expect(part.comparison.rows[0].variants.count == plants - 1)
        #expect(part.first.allSatisfy { $0.stoppedAt == nil })
        let whole = try await PolicyStudy.run(
            scenario, policies: [level(1), level(3)], count: .exactly(replications), workers: 1)
        #expect(part.figures == whole.figures)
        #expect(part.comparison.rows.map(\.cost) == whole.comparison.rows.map(\.cost))
    }

    @Test func `results do not depend on the number of workers`() async throws {
        let scenario = scenario(requests: 200)
        let plans = (0..<5).map { RunPlan(policy: level(1 + $0 % 2), options: RunOptions(replication: $0)) }
        let alone = try await runAll(plans, of: scenario, workers: 1)
        let together = try await runAll(plans, of: scenario, workers: 4)
        #expect(alone.map(\.fingerprint) == together.map(\.fingerprint))
        #expect(alone.map(\.measurements) == together.map(\.measurements))
        #expect(alone.map(\.replication) == [0, 1, 2, 3, 4])
        #expect(Set(alone.map(\.fingerprint)).count == 5)
    }

    @Test func `a comparison ranks only policies that keep their promise, the cheapest first`() async throws {
        let study = try await PolicyStudy.run(
            scenario(), policies: [level(6), level(1), level(4)], count: .exactly(2), workers: 2)
        let rows = study.comparison.rows
        #expect(rows.map(\.policy) == ["4", "6", "1"])
        #expect(rows.map(\.rank) == [1, 2, nil])
        #expect(rows[2].cost.value < rows[0].cost.value)
        #expect(rows[2].attainment.value < 0.9)
        #expect(rows[0].costAboveBest == nil)
        #expect(rows[1].costAboveBest!.value > 0 && rows[2].costAboveBest!.value < 0)
        #expect(rows.allSatisfy { $0.variants.map(\.factor) == PolicyStudy.plantFactors })
        #expect(study.figures.map(\.count) == [2, 2, 2])
        #expect(study.first.map(\.policy) == ["6", "1", "4"])
        let ratios = rows.compactMap { $0.costOverClairvoyant?.value }
        let bound = try #require(study.comparison.clairvoyant)
        #expect(bound.cost.value > 0 && bound.cost.value <= bound.planCost.value)
        #expect(zip(rows, ratios).allSatisfy { abs($0.cost.value / bound.cost.value - $1) < 0.05 * $1 })
        #expect(ratios.count == 3 && ratios[0] >= 1)
    }

    @Test func `replications give intervals and a single run gives none`() async throws {
        let one = try await PolicyStudy.run(scenario(), policies: [level(2)], count: .exactly(1), workers: 1)
        #expect(one.comparison.rows[0].attainment.ci95 == nil)
        let three = try await PolicyStudy.run(scenario(), policies: [level(2)], count: .exactly(3), workers: 2)
        let bounds = try #require(three.comparison.rows[0].ttftP99.ci95)
        #expect(bounds.lower < bounds.upper)
        let estimates = RunEstimates(three.figures[0].map(\.measurements), varied: "draws")
        let arrived = try #require(estimates["requests", "arrived"])
        let mean = three.figures[0].reduce(0.0) { $0 + Double($1.requests) } / 3
        #expect(abs(arrived.value - mean) < 1e-9)
        #expect(arrived.ci95!.lower <= mean && mean <= arrived.ci95!.upper)
        #expect(arrived.varied == "draws")
    }

    @Test func `tuning takes the cheapest candidate that keeps the promise, else the one that comes nearest`()
        async throws
    {
        var policy = level(1)
        policy.tuning = PolicyTuning(
            parameter: "replicas", candidates: [.number(6), .number(1), .number(4), .number(5)], seed: 77)
        let (tuned, outcomes) = try await tune([policy], in: scenario(), workers: 2)
        #expect(outcomes[0].trials.map(\.meetsSLO) == [true, false, true, true])
        #expect(outcomes[0].chosen == .number(4))
        #expect(tuned[0].parameters["replicas"] == .number(4))
        #expect(tuned[0].tuning == nil)
        policy.tuning?.candidates = [.number(1), .number(2)]
        let hopeless = try await tune([policy], in: scenario(attainment: 1), workers: 2)
        #expect(hopeless.outcomes[0].trials.allSatisfy { !$0.meetsSLO })
        #expect(hopeless.outcomes[0].chosen == .number(2))
    }
}
