import Statistics

#if canImport(Glibc)
    import Glibc
#endif

/// The quantile function of a length distribution, ready to be asked millions of times.
///
/// Every law is drawn by inversion from one uniform, so a request of the same number is long or short alike in two
/// scenarios that differ only in a parameter.
struct LengthSampler {
    private enum Law {
        case fixed(Double)
        case lognormal(logMean: Double, logDeviation: Double)
        case normal(mean: Double, deviation: Double)
        case uniform(from: Double, count: Double)
        case geometric(logFailure: Double)
        case quantiles([QuantilePoint])
    }
    private let law: Law
    private let low: Double
    private let high: Double

    init(_ distribution: LengthDistribution) {
        if let problem = distribution.problem { preconditionFailure(problem) }
        low = Double(distribution.minimum ?? 1)
        high = Double(distribution.maximum ?? Int(Int32.max))
        switch distribution.law {
        case .fixed(let tokens): law = .fixed(Double(tokens))
        case .lognormal(let p50, let p99):
            law = .lognormal(logMean: log(p50), logDeviation: log(p99 / p50) / normalQuantile(0.99))
        case .lognormalMoments(let mean, let deviation):
            let logVariance = log1p((deviation / mean) * (deviation / mean))
            law = .lognormal(logMean: log(mean) - logVariance / 2, logDeviation: logVariance.squareRoot())
        case .normal(let mean, let deviation): law = .normal(mean: mean, deviation: deviation)
        case .uniform(let from, let to): law = .uniform(from: Double(from), count: Double(to - from + 1))
        case .geometric(let mean): law = .geometric(logFailure: log1p(-1 / mean))
        case .quantiles(let points): law = .quantiles(points)
        }
    }

    /// The length that the share `u` of requests do not exceed.
    ///
    /// - Parameter u: Strictly between 0 and 1.
    func tokens(at u: Double) -> Int32 {
        let length: Double =
            switch law {
            case .fixed(let tokens): tokens
            case .lognormal(let mean, let deviation): exp(mean + deviation * normalQuantile(u)).rounded()
            case .normal(let mean, let deviation): (mean + deviation * normalQuantile(u)).rounded()
            case .uniform(let from, let count): from + (u * count).rounded(.down)
            // The ceiling of ln(1 − u) / ln(1 − 1/mean). A mean of 1 divides by −∞: a length of 1.
            case .geometric(let logFailure): 1 + (log1p(-u) / logFailure).rounded(.down)
            case .quantiles(let points): Self.interpolated(points, at: u).rounded()
            }
        return Int32(min(max(length, low), high))
    }

    private static func interpolated(_ points: [QuantilePoint], at u: Double) -> Double {
        // The first point with p >= u.
        var (first, end) = (0, points.count)
        while first < end {
            let middle = (first + end) / 2
            if points[middle].p < u { first = middle + 1 } else { end = middle }
        }
        guard first > 0 else { return Double(points[0].tokens) }
        guard first < points.count else { return Double(points[points.count - 1].tokens) }
        let (a, b) = (points[first - 1], points[first])
        return Double(a.tokens) + (u - a.p) / (b.p - a.p) * Double(b.tokens - a.tokens)
    }
}
