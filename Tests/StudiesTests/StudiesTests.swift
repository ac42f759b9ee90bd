import FleetModel
import Simulation
import Statistics
import Testing
import Units

@testable import Studies

@Suite struct QueueingTests {
    @Test(arguments: [
        QueueingCase(name: "M/M/1", service: .exponential, servers: 1, load: 0.5),
        QueueingCase(name: "M/D/1", service: .constant, servers: 1, load: 0.5),
    ])
    func `the simulator's wait covers the closed form and not a wrong one`(queue: QueueingCase) async throws {
        let outcome = try await play(queue, seed: 5, replications: 10, requests: 4_000, workers: 2)
        #expect(outcome.isLittleExact)
        #expect(outcome.isCovered)
        #expect(outcome.relativeHalfWidth < 0.12)
        // The other law's mean wait, a factor of two away: the interval is narrow enough to tell.
        let other = QueueingCase(
            name: "other", service: queue.service == .constant ? .exponential : .constant, servers: 1, load: 0.5)
        #expect(!outcome.wait.contains(other.exactWait))
    }

    @Test func `the closed forms are the textbook's`() {
        // At load one half a wait is a service time in M/M/1 and half of one in M/D/1.
        let exponential = QueueingCase(name: "M/M/1", service: .exponential, servers: 1, load: 0.5)
        let constant = QueueingCase(name: "M/D/1", service: .constant, servers: 1, load: 0.5)
        #expect(abs(exponential.exactWait - 1) < 1e-9)
        #expect(abs(constant.exactWait - 0.5) < 1e-9)
        #expect(Set(QueueingCase.all.map(\.name)) == ["M/M/1", "M/M/4", "M/D/1"])
    }
}

@Suite struct PolicyStudyTests {
    /// A pool of short steps under `load` sequences' worth of requests; policies hold fixed levels.
    private func scenario(requests: Int = 600, attainment: Double = 0.9) -> Scenario {
        Fixture.scenario(requests: requests, attainment: attainment)
    }

    private func level(_ replicas: Int) -> PolicyChoice { Fixture.level(replicas) }

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
