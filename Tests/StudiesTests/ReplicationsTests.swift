import Simulation
import Statistics
import Testing
import Units

@testable import Studies

@Suite struct ReplicationsTests {
    private let policies = [PolicyOnPlant(Fixture.level(1)), PolicyOnPlant(Fixture.level(2))]

    @Test func `the number of replications and their figures do not depend on the number of workers`() async throws {
        let rule = ReplicationCount.until(SequentialPrecision(share: 0.5, minimum: 3, maximum: 40))
        let scenario = Fixture.scenario(requests: 80)
        let alone = try await Replications.play(policies, of: scenario, count: rule, workers: 1)
        let together = try await Replications.play(policies, of: scenario, count: rule, workers: 4)
        #expect(alone.figures == together.figures)
        #expect(alone.precision == together.precision)
        #expect(alone.first.map(\.fingerprint) == together.first.map(\.fingerprint))
        #expect(alone.figures[1].map(\.replication) == Array(0..<alone.count))
        #expect((4..<40).contains(alone.count), "\(alone.count)")
    }

    @Test func `it stops at the first replication at which every headline is narrow enough`() async throws {
        let asked = SequentialPrecision(share: 0.5, minimum: 3, maximum: 40)
        let runs = try await Replications.play(
            policies, of: Fixture.scenario(requests: 80), count: .until(asked), workers: 2)
        func isEnough(_ count: Int) -> Bool {
            runs.figures.allSatisfy { figures in
                Headline.allCases.allSatisfy { headline in
                    let values = figures[..<count].map { $0.value(headline.path)! }
                    let interval = ConfidenceInterval.student(values, level: 0.95)!
                    return interval.halfWidth <= 0.5 / 1.5 * interval.estimate
                }
            }
        }
        #expect(runs.precision?.isReached == true)
        #expect(runs.precision?.replications == runs.count)
        #expect(runs.precision!.widest!.relativeHalfWidth <= 0.5)
        #expect(isEnough(runs.count))
        #expect(!(3..<runs.count).contains(where: isEnough))
    }

    @Test func `a cap that comes first is told`() async throws {
        let asked = SequentialPrecision(share: 0.01, minimum: 2, maximum: 4)
        let runs = try await Replications.play(
            policies, of: Fixture.scenario(requests: 80), count: .until(asked), workers: 3)
        let outcome = try #require(runs.precision)
        #expect(!outcome.isReached && runs.count == 4)
        #expect(outcome.widths.contains { $0.headline == .ttftP99 && !$0.isReached })
        // Fixed levels cost the same each time.
        #expect(outcome.widths.first { $0.policy == "2" && $0.headline == .cost }?.relativeHalfWidth == 0)
    }

    @Test(arguments: [(3, 1), (4, 2), (7, 3)]) func `what is stopped keeps the replications that are whole`(
        ended: Int, replications: Int
    ) async throws {
        // Cost is the same each time and attainment nearly so: it would reach the precision if it looked too early.
        let asked = SequentialPrecision(share: 0.9, minimum: 5, maximum: 40)
        let scenario = Fixture.scenario(requests: 80)
        let part = try await Replications.play(policies, of: scenario, count: .until(asked), workers: 1) {
            $0.ended < ended ? .goOn : .stop
        }
        #expect(part.count == replications)
        #expect(part.interruption == Interruption(ended: ended, planned: 10))
        #expect(part.precision?.isReached == false && part.precision?.replications == replications)
        let whole = try await Replications.play(policies, of: scenario, count: .exactly(replications), workers: 1)
        #expect(part.figures == whole.figures)
        #expect(part.first.map(\.fingerprint) == whole.first.map(\.fingerprint))
        #expect(whole.interruption == nil)
    }

    @Test func `a study stopped on its way to a precision is over the plants played as often`() async throws {
        let asked = SequentialPrecision(share: 0.9, minimum: 2, maximum: 2)
        func study(_ ended: Int, ofOthers: Bool = false) async throws -> PolicyStudy {
            try await PolicyStudy.run(
                Fixture.scenario(requests: 80), policies: policies.map(\.policy), count: .until(asked), workers: 1
            ) { ($0.total > 4) == ofOthers && $0.ended >= ended ? .stop : .goOn }
        }
        let early = try await study(2)
        #expect(early.comparison.replications == 1 && early.comparison.rows[0].variants.isEmpty)
        #expect(early.interruption == Interruption(ended: 2, planned: 12))
        let late = try await study(5, ofOthers: true)
        #expect(late.comparison.replications == 2 && late.comparison.rows[0].variants.isEmpty)
        #expect(late.interruption == Interruption(ended: 9, planned: 12))
        #expect(late.comparison.precision?.replications == 2)
        #expect(late.comparison.clairvoyant?.cost.ci95 != nil)
        let whole = try await study(99)
        #expect(whole.interruption == nil && whole.comparison.rows[0].variants.count == 2)
    }
}

@Suite struct PolicyDifferenceTests {
    /// The comparison's rows, in the policies' order, and its differences: on one plant, to be quick.
    private func study(_ policies: [PolicyChoice], _ replications: Int, requests: Int = 250) async throws -> (
        runs: Replications, differences: [PolicyDifference]
    ) {
        let runs = try await Replications.play(
            policies.map { PolicyOnPlant($0) }, of: Fixture.scenario(requests: requests),
            count: .exactly(replications), workers: 2)
        return (runs, PolicyDifference.all(runs.figures, whole: runs.first, varied: "draws"))
    }

    private func difference(
        _ differences: [PolicyDifference], _ reference: String, _ headline: Headline
    ) -> PolicyDifference {
        differences.first { $0.reference == reference && $0.headline == headline }!
    }

    @Test func `real differences are told from none, by pairs`() async throws {
        let all = try await study([Fixture.level(4), Fixture.level(5), Fixture.level(5, label: "twin")], 4).differences
        let cost = difference(all, "5", .cost)
        #expect(cost.verdict == .different(jointly: true))
        // Levels are taken at the first tick, so the ratio is near 4 to 5.
        #expect(abs(cost.ratio!.value - 0.8) < 0.02)
        #expect(cost.difference!.value < 0)
        for headline in Headline.allCases {
            let (one, twin) = (difference(all, "5", headline), difference(all, "twin", headline))
            #expect(one.difference == twin.difference && one.ratio == twin.ratio)
        }
        let same = try await study([Fixture.level(5), Fixture.level(5, label: "twin")], 3).differences
        #expect(same.count == 4)
        #expect(same.allSatisfy { $0.verdict == .same })
    }

    @Test func `pairing by replication makes the difference narrower than the two sides apart`() async throws {
        let (runs, all) = try await study([Fixture.level(2), Fixture.level(3)], 6)
        let attainment = difference(all, "3", .attainment)
        func width(_ estimate: Estimate?) -> Double { estimate!.ci95!.upper - estimate!.ci95!.lower }
        let apart = runs.figures.map { figures in
            width(Estimate(over: figures.map { $0.value(Headline.attainment.path)! }, varied: ""))
        }
        #expect(width(attainment.difference) < (apart[0] * apart[0] + apart[1] * apart[1]).squareRoot())
        #expect(attainment.difference?.varied == "draws")
    }

    @Test func `one run of each is paired by batch, where batches allow it`() async throws {
        let (runs, all) = try await study([Fixture.level(2), Fixture.level(6)], 1, requests: 1_500)
        let attainment = difference(all, "6", .attainment)
        #expect(attainment.difference?.varied == "batches of one run")
        guard case .different = attainment.verdict else {
            Issue.record("two replicas and six meet as many: \(attainment)")
            return
        }
        #expect(abs(attainment.difference!.value - (runs.first[0].attainment - runs.first[1].attainment)) < 1e-9)
        let gaps = difference(all, "6", .itlP99)
        guard case .unknown = gaps.verdict else {
            Issue.record("gaps have no batches: \(gaps)")
            return
        }
    }
}
