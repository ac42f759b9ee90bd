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
}
