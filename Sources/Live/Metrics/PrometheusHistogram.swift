/// A Prometheus histogram that is being filled: counts by upper bound, and the sum of what was observed.
struct PrometheusHistogram: Sendable {
    /// Ascending; the last bucket, +Inf, has none.
    let upperBounds: [Double]
    /// Observations in each bucket alone, one more than there are bounds.
    private var counts: [UInt64]
    private(set) var sum = 0.0

    init(upperBounds: [Double]) {
        self.upperBounds = upperBounds
        counts = Array(repeating: 0, count: upperBounds.count + 1)
    }

    mutating func observe(_ value: Double) {
        counts[upperBounds.firstIndex { value <= $0 } ?? upperBounds.count] += 1
        sum += value
    }

    /// Adds what another one of the same bounds holds.
    mutating func add(_ other: PrometheusHistogram) {
        precondition(upperBounds == other.upperBounds, "histograms of other bounds do not add up")
        for index in counts.indices { counts[index] += other.counts[index] }
        sum += other.sum
    }

    /// Observations at or below each bound, then all of them.
    var cumulative: [UInt64] {
        var total: UInt64 = 0
        return counts.map {
            total += $0
            return total
        }
    }
}
