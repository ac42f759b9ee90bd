import CGSL

#if canImport(Glibc)
    import Glibc
#endif

/// The quantile of sorted values, interpolated linearly between order statistics; `nil` when there are none.
///
/// - Parameters:
///   - sorted: Ascending.
///   - q: Range: `0...1`; 0 is the least value, 1 the greatest.
/// - Source: definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996).
public func quantile(of sorted: [Double], _ q: Double) -> Double? {
    precondition(q >= 0 && q <= 1, "quantile \(q) is outside 0 ... 1")
    guard !sorted.isEmpty else { return nil }
    let position = q * Double(sorted.count - 1)
    let low = Int(position)
    guard low + 1 < sorted.count else { return sorted[sorted.count - 1] }
    return sorted[low] + (position - Double(low)) * (sorted[low + 1] - sorted[low])
}

/// The quantile function of Student's distribution.
///
/// - Precondition: `0 < p < 1`, and more than 0 degrees of freedom.
/// - Source: GSL `gsl_cdf_tdist_Pinv`.
public func studentQuantile(_ p: Double, degreesOfFreedom: Double) -> Double {
    precondition(p > 0 && p < 1 && degreesOfFreedom > 0, "quantile \(p) with \(degreesOfFreedom) degrees of freedom")
    return gsl_cdf_tdist_Pinv(p, degreesOfFreedom)
}

/// The quantile function of the standard normal distribution.
///
/// - Precondition: `0 <= p <= 1`; the ends give −∞ and +∞.
/// - Source: GSL `gsl_cdf_ugaussian_Pinv` (Wichura, algorithm AS 241, 1988), to 1e-15.
public func normalQuantile(_ p: Double) -> Double {
    precondition(p >= 0 && p <= 1, "probability \(p)")
    return gsl_cdf_ugaussian_Pinv(p)
}

/// The shape of a Weibull distribution with this coefficient of variation (deviation / mean).
///
/// CV² + 1 = Γ(1 + 2/k) / Γ(1 + 1/k)², which falls as k grows: found by bisection in ln k to 1e-12.
///
///     weibullShape(coefficientOfVariation: 1)   // 1: exponential
///
/// - Precondition: `0.01 <= coefficientOfVariation <= 100`.
public func weibullShape(coefficientOfVariation: Double) -> Double {
    precondition((0.01...100).contains(coefficientOfVariation), "Weibull CV \(coefficientOfVariation)")
    let wanted = log1p(coefficientOfVariation * coefficientOfVariation)
    func excess(_ shape: Double) -> Double {
        gsl_sf_lngamma(1 + 2 / shape) - 2 * gsl_sf_lngamma(1 + 1 / shape) - wanted
    }
    var (low, high) = (log(0.05), log(1000.0))
    while high - low > 1e-12 {
        let middle = (low + high) / 2
        if excess(exp(middle)) > 0 { low = middle } else { high = middle }
    }
    return exp((low + high) / 2)
}

/// How far samples lie from a distribution, and how often chance alone would put them that far.
public struct KolmogorovSmirnov: Hashable, Sendable {
    /// The greatest distance between the two cumulative distributions. Range: 0...1.
    public var statistic: Double
    /// The probability of a greater one if the samples do come from the distribution. Range: 0...1.
    public var pValue: Double
}

/// Compares samples with a continuous distribution (Kolmogorov–Smirnov).
///
/// For a distribution with atoms the p-value is too large: the test still never cries wolf, but it sees less.
///
/// - Parameters:
///   - samples: At least one, finite, in any order.
///   - cdf: The distribution's P(X ≤ x).
/// - Source: asymptotic distribution with the finite-sample correction of Stephens, JRSS B 32 (1970), good to 0.001
///   from five samples on.
public func kolmogorovSmirnov(samples: [Double], cdf: (Double) -> Double) -> KolmogorovSmirnov {
    precondition(!samples.isEmpty, "no samples")
    let n = Double(samples.count)
    var distance = 0.0
    for (i, x) in samples.sorted().enumerated() {
        let p = cdf(x)
        distance = max(distance, p - Double(i) / n, Double(i + 1) / n - p)
    }
    let lambda = (n.squareRoot() + 0.12 + 0.11 / n.squareRoot()) * distance
    var tail = 0.0
    // Below 0.3 the alternating series converges slowly and its sum is 1 to nine digits.
    guard lambda > 0.3 else { return KolmogorovSmirnov(statistic: distance, pValue: 1) }
    for k in 1...20 {
        let term = 2 * exp(-2 * Double(k * k) * lambda * lambda)
        tail += k % 2 == 1 ? term : -term
    }
    return KolmogorovSmirnov(statistic: distance, pValue: min(1, max(0, tail)))
}
