import FleetModel

/// Observations per bucket over a window, and their quantiles as Prometheus gives them.
struct HistogramDelta {
    let upperBounds: [Double]
    /// Cumulative, one more than there are bounds.
    private(set) var cumulative: [Double]

    init(upperBounds: [Double]) {
        self.upperBounds = upperBounds
        cumulative = [Double](repeating: 0, count: upperBounds.count + 1)
    }

    /// Adds what two readings of a counter that does not fall differ by.
    mutating func add(from base: [Double], to latest: [Double]) {
        for index in cumulative.indices { cumulative[index] += latest[index] - base[index] }
    }

    /// `nil` when nothing was observed.
    var quantiles: LatencyQuantiles? {
        guard let total = cumulative.last, total > 0 else { return nil }
        return LatencyQuantiles(
            p50: quantile(0.5, of: total), p90: quantile(0.9, of: total), p99: quantile(0.99, of: total), count: total)
    }

    /// The value below which the share `q` lies, linear inside its bucket; the first bucket starts at 0, and what lies
    /// beyond the last bound is reported as that bound.
    ///
    /// - Source: Prometheus, `histogram_quantile` for classic histograms.
    private func quantile(_ q: Double, of total: Double) -> Double {
        let rank = q * total
        guard let index = cumulative.firstIndex(where: { $0 >= rank }), index < upperBounds.count else {
            return upperBounds.last ?? 0
        }
        let start = index == 0 ? 0 : upperBounds[index - 1]
        let below = index == 0 ? 0 : cumulative[index - 1]
        let inside = cumulative[index] - below
        guard inside > 0 else { return upperBounds[index] }
        return start + (upperBounds[index] - start) * (rank - below) / inside
    }
}
