import CGSL

#if canImport(Glibc)
    import Glibc
#endif

/// The uncertainty of a mean, read from one long run: its batches stand in for replications.
///
/// Batches that follow each other are correlated, the less the longer they are. So they are tested first (von Neumann's
/// ratio against positive correlation, one-sided, at 5 %); where the test fails, neighbours are joined and tested
/// again while at least 16 are left. What correlation then remains is answered by a wider interval: the variance is
/// multiplied by (1 + r) / (1 − r), with r the lag-1 autocorrelation where it is positive. Correlation that outlives a
/// sixteenth of the run cannot be measured within it, and there is no interval. Student's quantiles are bent by the
/// batches' skewness: waits have long tails upwards, and a symmetric interval would miss on that side.
///
/// A deterministic swing between batches, such as that of a daily rate, counts as spread: the interval is too wide
/// then, never too narrow.
///
/// - Source: Fishman, "Grouping observations in digital simulation", Management Science 24 (1978); both adjustments as in
///   Skart (Tafazzoli, Wilson, Lada, Steiger, "Performance of Skart", INFORMS J. Computing 23, 2011), that for skewness
///   after Willink, Comm. Statist. Theory Methods 34 (2005).
public struct BatchMeans: Hashable, Sendable {
    /// Batches after joining. At least `fewest`.
    public var batches: Int
    public var mean: Double
    /// Of the mean, with the correlation that is left.
    public var standardError: Double
    /// Lag-1 autocorrelation of these batches, and their skewness.
    public var lag1: Double
    public var skewness: Double

    /// Fewer batches than this say too little of their own correlation.
    public static let fewest = 16
    /// The share of series without correlation that the test turns away at each length.
    public static let testLevel = 0.05

    /// Why a series has no interval.
    public enum Refusal: Error, Hashable, Sendable {
        /// Fewer than `fewest` batches.
        case tooFew(Int)
        /// Neighbouring batches are correlated even when they are as long as they can be.
        case correlated(lag1: Double)
        /// All batches are equal: nothing varied that could speak of chance.
        case constant
    }

    /// - Parameter values: The means of equally long batches in order of time, all finite.
    public init(_ values: [Double]) throws(Refusal) {
        var series = values
        while true {
            guard series.count >= Self.fewest else { throw .tooFew(series.count) }
            let moments = SeriesMoments(series)
            guard moments.variance > 0 else { throw .constant }
            if moments.correlationPValue > Self.testLevel {
                batches = series.count
                mean = moments.mean
                lag1 = moments.lag1
                skewness = moments.skewness
                let factor = lag1 > 0 ? (1 + lag1) / (1 - lag1) : 1
                standardError = (moments.variance * factor / Double(series.count)).squareRoot()
                return
            }
            guard series.count / 2 >= Self.fewest else { throw .correlated(lag1: moments.lag1) }
            series = stride(from: 0, to: series.count - 1, by: 2).map { (series[$0] + series[$0 + 1]) / 2 }
        }
    }

    /// How often a mean at least as far from 0 would be seen if the true one were 0: Student's two-sided test.
    public var pValue: Double {
        2 * gsl_cdf_tdist_Q(abs(mean) / standardError, Double(batches - 1))
    }

    /// Student's quantile times the standard error: half an interval that leaves skewness out.
    ///
    /// - Parameter level: Strictly between 0 and 1, such as 0.95.
    public func halfWidth(level: Double) -> Double {
        precondition(level > 0 && level < 1, "level \(level) is not between 0 and 1")
        return gsl_cdf_tdist_Pinv((1 + level) / 2, Double(batches - 1)) * standardError
    }

    /// The interval for the mean; wider on the side that the batches are skewed to.
    ///
    /// - Parameter level: Strictly between 0 and 1, such as 0.95.
    public func interval(level: Double) -> ConfidenceInterval {
        precondition(level > 0 && level < 1, "level \(level) is not between 0 and 1")
        let t = gsl_cdf_tdist_Pinv((1 + level) / 2, Double(batches - 1))
        return ConfidenceInterval(
            estimate: mean, lower: mean - bent(t) * standardError, upper: mean - bent(-t) * standardError,
            level: level)
    }

    /// Willink's G: what Student's quantile becomes for a skewed mean.
    private func bent(_ t: Double) -> Double {
        let beta = skewness / (6 * Double(batches).squareRoot())
        guard beta.magnitude > 1e-9 else { return t }
        return (cbrt(1 + 6 * beta * (t - beta)) - 1) / (2 * beta)
    }
}

/// Mean, variance, skewness and first correlation of a series in time.
struct SeriesMoments {
    let count: Int
    let mean: Double
    /// With n − 1 below.
    let variance: Double
    /// The third moment over that power of the deviation, unbiased for normal values; 0 for a constant series.
    let skewness: Double
    /// Range: −1...1; 0 for a constant series.
    let lag1: Double
    /// Fishman's form of von Neumann's ratio, 1 − ratio/2: about normal around 0 for independent values.
    private let neumann: Double

    /// - Precondition: there are at least three values.
    init(_ values: [Double]) {
        precondition(values.count >= 3, "a series of \(values.count)")
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        let deviations = values.map { $0 - mean }
        let squares = deviations.reduce(0) { $0 + $1 * $1 }
        let products = zip(deviations, deviations.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
        let ends = deviations[0] * deviations[0] + deviations[values.count - 1] * deviations[values.count - 1]
        count = values.count
        self.mean = mean
        // What rounding alone leaves of equal values is no spread.
        let isConstant = squares <= n * (mean * 1e-14) * (mean * 1e-14)
        variance = isConstant ? 0 : squares / (n - 1)
        let cubes = deviations.reduce(0) { $0 + $1 * $1 * $1 }
        skewness = isConstant ? 0 : n / ((n - 1) * (n - 2)) * cubes / (variance * variance.squareRoot())
        lag1 = isConstant ? 0 : products / squares
        neumann = isConstant ? 0 : (products + ends / 2) / squares
    }

    /// How often independent normal values would look as positively correlated.
    var correlationPValue: Double {
        let n = Double(count)
        return gsl_cdf_ugaussian_Q(neumann * ((n * n - 1) / (n - 2)).squareRoot())
    }
}
