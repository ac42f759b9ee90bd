import FleetModel
import Foundation
import Scaling
import Simulation
import Testing
import Units

@testable import Studies

@Suite struct SweepTableTests {
    private static let scenario: Scenario = {
        var scenario = QueueingCase(name: "toy", service: .exponential, servers: 1, load: 0.8)
            .scenario(seed: 3, requests: 100)
        scenario.sloClasses = [SLOClass(name: "all", ttft: .milliseconds(400), attainment: 0.9)]
        scenario.pools[0].bounds = ReplicaBounds(minimum: 1, maximum: 6)
        scenario.control.tick = .seconds(5)
        return scenario
    }()

    private static func level(_ replicas: Int) -> PolicyChoice {
        PolicyChoice(label: "\(replicas)", policy: "static", parameters: ["replicas": .number(Double(replicas))])
    }

    private static func play(workers: Int, replications: Int = 2) async throws -> [SweepOutcome] {
        try await playSweepPoint(
            scenario, policies: [level(6), level(1)], replications: replications, seed: 8, workers: workers)
    }

    private static func plan(points: Int, replications: Int) -> SweepPlan {
        SweepPlan(
            scenario: .init(name: "toy", path: "../toy", files: [SourceFile(name: "a.yaml", digest: "1")]),
            design: "grid", seed: 8, replications: replications, varied: "draws", policies: ["6", "1"],
            fields: [.init(path: "a.b", range: "1..3")], points: (0..<points).map { ["\($0)"] }, version: "1")
    }

    @Test func `a point does not depend on the number of workers, and its seed is the plan's`() async throws {
        let alone = try await Self.play(workers: 1)
        #expect(try await Self.play(workers: 4) == alone)
        #expect(alone.map(\.policy) == ["6", "1"])
        #expect(alone.map(\.meetsSLO) == [true, false])
        let run = try Simulation.run(
            Self.scenario, policy: Self.level(1), options: RunOptions(seed: 8, replication: 1))
        #expect(alone[1].fingerprints[1] == run.fingerprint)
        #expect(alone[1].fingerprints.count == 2)
    }

    @Test func `a result survives its file, to the bit`() async throws {
        let result = SweepResult(plan: "p", point: 0, values: ["1"], policies: try await Self.play(workers: 2))
        let text = try JSONEncoder().encode(result)
        let read = try JSONDecoder().decode(SweepResult.self, from: text)
        #expect(read.policies.map(\.fingerprints) == result.policies.map(\.fingerprints))
        for (before, after) in zip(result.policies, read.policies) {
            #expect(before.measurements.map(\.path) == after.measurements.map(\.path))
            for (a, b) in zip(before.measurements, after.measurements) {
                #expect(a.values.map(\.estimate) == b.values.map(\.estimate), "\(a.path)")
            }
        }
        let cost = try #require(read.policies[0].measurements.first { $0.path == "cost.total_usd" })
        guard case .money = cost.values[0] else {
            Issue.record("money is no longer money")
            return
        }
    }

    @Test func `a table has means with intervals, names missing points, and ranks what meets the SLO`() async throws {
        let outcomes = try await Self.play(workers: 2, replications: 3)
        let plan = Self.plan(points: 3, replications: 3)
        let results = [0, 2].map { SweepResult(plan: "p", point: $0, values: plan.points[$0], policies: outcomes) }
        let table = SweepTable(plan: plan, planDigest: "p", results: results)
        #expect(table.missing == [1])
        #expect(table.rows.map(\.point) == [0, 0, 2, 2])
        #expect(table.cheapest.map(\.point) == [0, 2])
        #expect(table.cheapest.allSatisfy { $0.policy == "6" })
        let measured = outcomes[1].measurements.first { $0.path == "slo.attainment" }!.values.map { $0.estimate! }
        let cell = try #require(table.rows[1]["slo.attainment"])
        #expect(abs(cell.estimate.value - measured.reduce(0, +) / 3) < 1e-12)
        #expect(cell.estimate.ci95 != nil && cell.estimate.varied == "draws")
    }

    @Test func `what a replication could not measure has no mean`() {
        let partial = SweepMeasurement(path: "ttft_ms.p99", values: [.number(3), .absent])
        #expect(SweepCell(partial, varied: "draws") == nil)
        let whole = SweepMeasurement(path: "cost", values: [.money(USD("1.00")!), .money(USD("2.00")!)])
        #expect(SweepCell(whole, varied: "draws")?.quantity == .money(USD("1.50")!))
        let one = SweepMeasurement(path: "cost", values: [.money(USD("0.123456789")!)])
        #expect(SweepCell(one, varied: "draws")?.quantity == .money(USD("0.123456789")!))
        #expect(SweepCell(one, varied: "draws")?.estimate.ci95 == nil)
    }

    @Test func `a plan tells which files of its scenario have changed`() {
        let plan = Self.plan(points: 1, replications: 1)
        func file(_ name: String, _ digest: String) -> SourceFile { SourceFile(name: name, digest: digest) }
        #expect(plan.changes(to: [file("a.yaml", "1")]) == nil)
        #expect(plan.changes(to: [file("a.yaml", "2")]) == "a.yaml has changed")
        #expect(plan.changes(to: [file("b.yaml", "1")]) == "a.yaml is no longer read, b.yaml is read now")
    }
}
