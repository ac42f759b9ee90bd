import Testing
import Units

@testable import Statistics

@Suite("Compact histograms")
struct CompactHistogramTests {
    /// Six decades of durations, the same each time.
    private static let durations: [Int64] = {
        var draws = Draws(seed: 41)
        return (0..<5_000).map { _ in Int64(1_000 * (1 / draws.uniform())) }
    }()

    private func histogram(_ durations: some Sequence<Int64>) -> CompactHistogram {
        durations.reduce(into: CompactHistogram()) { $0.record(TimeSpan(nanoseconds: $1)) }
    }

    @Test("A quantile is within a cell of the exact one", arguments: [0.01, 0.5, 0.9, 0.99, 0.999, 1])
    func quantiles(q: Double) throws {
        let sorted = Self.durations.sorted()
        let exact = Double(sorted[Int((q * 5_000).rounded(.up)) - 1])
        let read = Double(try #require(histogram(Self.durations).quantile(q)).nanoseconds)
        #expect(abs(read - exact) <= exact * CompactHistogram.cellWidth)
    }

    @Test("Merging is counting everything in one")
    func merging() {
        var merged = histogram(Self.durations[..<1_234])
        merged.merge(histogram(Self.durations[1_234...]))
        #expect(merged == histogram(Self.durations))
        #expect(merged.count == 5_000)
    }

    @Test("Every duration has a cell, and counts never fall as the limit grows")
    func cells() {
        let edges: [Int64] = [-5, 0, 1, 63, 64, 65, 127, 128, 129, 1 << 20, (1 << 47) - 1, 1 << 47, .max]
        let all = histogram(edges)
        let counts = edges.map { all.count(through: TimeSpan(nanoseconds: $0)) }
        #expect(counts == counts.sorted() && counts.last == edges.count)
        #expect(all.count(through: TimeSpan(nanoseconds: 63)) == 4)
        #expect(CompactHistogram().quantile(0.5) == nil)
    }
}
