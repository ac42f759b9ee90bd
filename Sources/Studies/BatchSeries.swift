import Simulation
import Statistics
import Units

/// A headline of one run, and how far each batch of the run pulls it up or down.
struct BatchSeries {
    /// In the headline's unit.
    var value: Double
    /// By batch, in the same unit; their mean is 0 but for rounding.
    var influences: [Double]

    init(value: Double, influences: [Double]) {
        self.value = value
        self.influences = influences
    }

    /// The batches of a run from number `first` on.
    ///
    /// - Throws: In words, why there is none.
    init(_ headline: Headline, of result: RunResult, from first: Int = 0) throws(NoInterval) {
        switch headline {
        case .cost: try self.init(costOf: result, from: first)
        case .attainment:
            let batches = result.batches
            try self.init(
                BatchRatio(
                    batches.sums { Double($0.met) }.suffixArray(from: first),
                    over: batches.sums { Double($0.arrived) }.suffixArray(from: first)))
        case .ttftP99:
            let tail = try TTFTTail(result, from: first)
            self.init(value: tail.value, influences: tail.influences)
        case .itlP99: throw NoInterval("gaps between tokens are not kept by batch")
        }
    }

    init(_ ratio: BatchRatio?) throws(NoInterval) {
        guard let ratio else { throw NoInterval.nothingMeasured }
        self.init(value: ratio.value, influences: ratio.influences)
    }

    /// What the fleet costs in each batch, from the price of the instances held along the time line; together they are the
    /// bill, which the time line misses by its rounding and minimum charges.
    private init(costOf result: RunResult, from first: Int) throws(NoInterval) {
        let batch = result.batches.span * Int64(RunBatches.slicesPerBatch)
        var costs = [Double](repeating: 0, count: RunBatches.batches)
        for row in result.timeline {
            guard row.span <= batch else { throw NoInterval("the time line is coarser than the batches") }
            let begin = row.time - result.start
            var at = begin
            while at < begin + row.span {
                let index = Int(at.nanoseconds / batch.nanoseconds)
                let end = min(begin + row.span, batch * Int64(index + 1))
                costs[min(index, costs.count - 1)] += row.costRate.dollarsPerHour * (end - at).seconds / 3600
                at = end
            }
        }
        let total = costs.reduce(0, +)
        guard total > 0 else { throw NoInterval.nothingMeasured }
        // The run's last batch is shorter by rounding of a slice: less than a part in a million of any run of a second.
        let scale = result.bill.total.dollars / total * Double(costs.count)
        try self.init(
            BatchRatio(
                costs.suffixArray(from: first).map { $0 * scale },
                over: [Double](repeating: 1, count: costs.count - first)))
    }
}

/// Why one run has no interval for a figure, in words.
struct NoInterval: Error, Hashable {
    var reason: String

    init(_ reason: String) { self.reason = reason }

    static let nothingMeasured = NoInterval("nothing was measured")

    init(_ refusal: BatchMeans.Refusal) {
        switch refusal {
        case .tooFew(let count):
            reason = "\(count) batches are too few"
        case .correlated: reason = "its batches are correlated, as in a run too short for its swings"
        case .constant: reason = "it is the same in every batch"
        }
    }
}

extension BatchSeries {
    func batchMeans() throws(NoInterval) -> BatchMeans {
        do {
            return try BatchMeans(influences.map { value + $0 })
        } catch {
            throw NoInterval(error)
        }
    }
}

/// The 99th percentile of TTFT with its interval, from the batches of one run.
///
/// The share of requests beyond the percentile varies from batch to batch; batch means give that share an interval, and
/// the quantiles at its ends bound the percentile. Where the interval reaches the slowest request there is no bound. On
/// M/M/1 it covers 88 to 95 of 100, the fewer the shorter the run.
///
/// - Source: Woodruff, "Confidence intervals for medians and other position measures", JASA 47 (1952), with batches in
///   the place of sampling clusters.
struct TTFTTail {
    static let share = 0.99
    /// In milliseconds.
    var value: Double
    var bounds: Estimate.Bounds
    /// By batch: those of the share, times the slope of the quantile between the bounds.
    var influences: [Double]

    init(_ result: RunResult, from first: Int) throws(NoInterval) {
        // The whole run is known more finely than its batches.
        try self.init(result.batches.ttft[first...], whole: first == 0 ? result.ttft : nil)
    }

    /// - Parameters:
    ///   - parts: TTFT by batch, in order of time.
    ///   - whole: The same, together and finer; the merged parts are read without it.
    init(_ parts: ArraySlice<CompactHistogram>, whole: LatencyHistogram? = nil) throws(NoInterval) {
        let merged = parts.reduce(into: CompactHistogram()) { $0.merge($1) }
        func quantile(_ q: Double) -> Double? { (whole?.quantile(q) ?? merged.quantile(q))?.milliseconds }
        guard let limit = merged.quantile(Self.share), let value = quantile(Self.share),
            let beyond = BatchRatio(
                parts.map { Double($0.count - $0.count(through: limit)) }, over: parts.map { Double($0.count) })
        else { throw .nothingMeasured }
        let means: BatchMeans
        do { means = try beyond.batchMeans() } catch { throw NoInterval(error) }
        // Symmetric: bent by their skewness, the ends of so small a share would mostly reach the slowest request.
        let half = means.halfWidth(level: 0.95)
        guard Self.share + half < 1, let low = quantile(Self.share - half), let high = quantile(Self.share + half)
        else { throw NoInterval("too few requests are slower than it") }
        self.value = value
        bounds = Estimate.Bounds(lower: min(low, value), upper: max(high, value))
        let slope = (bounds.upper - bounds.lower) / (2 * half)
        influences = beyond.influences.map { $0 * slope }
    }
}

extension [Double] {
    fileprivate func suffixArray(from first: Int) -> [Double] { Array(self[first...]) }
}
