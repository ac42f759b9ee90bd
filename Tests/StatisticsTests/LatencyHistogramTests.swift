import Testing
import Units

@testable import Statistics

@Suite("Latency histogram")
struct LatencyHistogramTests {
    /// Durations over nine decades, from 1 µs to 16 minutes, in no order.
    private let durations = (0..<20_000).map { (i: Int64) -> Int64 in
        let scrambled = i &* 7919 % 20_000
        return 1000 + scrambled * scrambled * scrambled / 8
    }

    private func histogram(_ nanoseconds: some Sequence<Int64>) -> LatencyHistogram {
        var histogram = LatencyHistogram()
        for value in nanoseconds { histogram.record(TimeSpan(nanoseconds: value)) }
        return histogram
    }

    @Test(
        "A quantile is within the stated error of the exact one", arguments: [0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999, 1])
    func quantiles(q: Double) throws {
        let sorted = durations.sorted()
        let exact = Double(sorted[max(0, Int((q * 20_000).rounded(.up)) - 1)])
        let read = Double(try #require(histogram(durations).quantile(q)).nanoseconds)
        #expect(abs(read - exact) <= LatencyHistogram.relativeError * exact + 1)
    }

    @Test("Count, mean, minimum and maximum are exact")
    func exactFigures() throws {
        let histogram = histogram(durations)
        let sum = durations.reduce(0, +)
        #expect(histogram.count == 20_000)
        #expect(histogram.sum == Int128(sum))
        #expect(abs(Double(try #require(histogram.mean).nanoseconds) - Double(sum) / 20_000) <= 0.5)
        #expect(histogram.minimum?.nanoseconds == durations.min())
        #expect(histogram.maximum?.nanoseconds == durations.max())
    }

    @Test("Recording n times at once equals recording n times")
    func counts() {
        var once = LatencyHistogram()
        once.record(.milliseconds(20), count: 3)
        once.record(.milliseconds(40))
        let repeated = histogram([20_000_000, 20_000_000, 40_000_000, 20_000_000])
        #expect(once.count == 4 && once.sum == repeated.sum)
        #expect(once.quantile(0.75) == repeated.quantile(0.75))
        #expect(once.share(atMost: .milliseconds(30)) == 0.75)
    }

    @Test("Merging halves gives the whole")
    func merging() {
        var left = histogram(durations[..<7000])
        left.merge(histogram(durations[7000...]))
        let whole = histogram(durations)
        #expect(left.count == whole.count && left.sum == whole.sum)
        #expect(left.minimum == whole.minimum && left.maximum == whole.maximum)
        for q in [0.01, 0.5, 0.99] { #expect(left.quantile(q) == whole.quantile(q)) }
    }

    @Test("Durations outside the range are counted, and still enter the mean and the extremes")
    func outOfRange() {
        var histogram = histogram([0, -5])
        histogram.record(.hours(48))
        #expect(histogram.outOfRange == 2)
        #expect(histogram.count == 3)
        #expect(histogram.maximum == .hours(48))
        #expect(histogram.minimum?.nanoseconds == -5)
        #expect(histogram.mean == .hours(16) - TimeSpan(nanoseconds: 2))
        #expect(histogram.quantile(0.5) == .zero)
        #expect(histogram.share(atMost: .hours(23)) == 2.0 / 3)
    }

    @Test("A million requests held up for hours are still read: their sum passes 64 bits")
    func largeSums() {
        var histogram = LatencyHistogram()
        histogram.record(.hours(20), count: 1_000_000)
        histogram.record(.hours(10), count: 1_000_000)
        #expect(histogram.mean == .hours(15))
        #expect(abs((histogram.quantile(0.4)?.seconds ?? 0) - 36_000) < 36_000 * LatencyHistogram.relativeError)
        #expect(histogram.cumulative(points: 10).count == 2)
    }

    @Test("The share at most a limit agrees with counting, to a cell")
    func shares() throws {
        let histogram = histogram(durations)
        for limit in [2_000, 1_000_000, 40_000_000, 700_000_000_000] as [Int64] {
            let read = try #require(histogram.share(atMost: TimeSpan(nanoseconds: limit)))
            let low = Double(durations.count { $0 <= limit }) / 20_000
            let high = Double(durations.count { Double($0) <= Double(limit) * (1 + 1.0 / 512) }) / 20_000
            #expect(low <= read && read <= high)
        }
        #expect(histogram.share(atMost: .zero) == 0)
        #expect(histogram.share(atMost: .hours(1)) == 1)
    }

    @Test("The cumulative distribution climbs to 1 in no more points than asked for")
    func cumulative() {
        let points = histogram(durations).cumulative(points: 50)
        #expect(points.count <= 50 && points.count > 40)
        #expect(points.last?.share == 1)
        for (a, b) in zip(points, points.dropFirst()) { #expect(a.duration < b.duration && a.share < b.share) }
    }

    @Test("An empty histogram answers nil, not 0")
    func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.mean == nil && histogram.quantile(0.5) == nil && histogram.share(atMost: .zero) == nil)
        #expect(histogram.cumulative(points: 3).isEmpty)
    }
}
