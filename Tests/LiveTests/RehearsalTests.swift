import FleetModel
import Statistics
import Testing

@testable import Live
@testable import Units

@Suite("A rehearsal's verdicts")
struct RehearsalTests {
    private func side(_ resizes: [(pool: String, after: Int64, to: Int)]) -> RehearsalSide {
        RehearsalSide(
            arrived: 0, completed: 0, rejected: 0, failed: 0, ttft: LatencyHistogram(), itl: LatencyHistogram(),
            e2e: LatencyHistogram(), outputTokens: 0, cost: .zero,
            resizes: resizes.map {
                RehearsalResize(after: .seconds($0.after), pool: PoolID($0.pool), from: 0, to: $0.to)
            }, coldStarts: [])
    }

    private func areEqual(
        _ live: [(pool: String, after: Int64, to: Int)], _ simulated: [(pool: String, after: Int64, to: Int)]
    ) -> Bool {
        Rehearsal(live: side(live), simulated: side(simulated), replayed: side([]), tick: .seconds(10)).isControlEqual
    }

    @Test("Resizes are compared pool by pool: the same levels in the same order, each within one tick")
    func control() {
        let live: [(pool: String, after: Int64, to: Int)] = [("a", 10, 2), ("b", 20, 3), ("a", 30, 4)]
        #expect(areEqual(live, live))
        #expect(areEqual(live, [("b", 10, 3), ("a", 20, 2), ("a", 40, 4)]))
        #expect(!areEqual(live, [("b", 9, 3), ("a", 10, 2), ("a", 30, 4)]))
        #expect(!areEqual(live, [("a", 10, 2), ("a", 30, 4)]))
        #expect(!areEqual(live, [("a", 10, 4), ("b", 20, 3), ("a", 30, 2)]))
        #expect(!areEqual(live, live + [("c", 30, 1)]))
    }

    @Test("The resizes of a pool stand beside each other, in whichever order pools were resized")
    func text() throws {
        let (live, simulated) = (side([("a", 10, 2), ("b", 10, 3)]), side([("b", 10, 3), ("a", 20, 2)]))
        let rehearsal = Rehearsal(live: live, simulated: simulated, replayed: side([]), tick: .seconds(10))
        let report = RehearsalReport(
            rehearsal, scenario: "s", policy: "p", policyDigest: "", duration: .seconds(60))
        let lines = RehearsalText.text(rehearsal, report).split(separator: "\n")
        let first = try #require(lines.firstIndex { $0.hasPrefix("resizes") }) + 1
        #expect(lines[first].contains("10 s a 0 → 2") && lines[first].hasSuffix("20 s a 0 → 2"))
        #expect(lines[first + 1].hasSuffix("10 s b 0 → 3"))
    }
}
