import CGSL

#if canImport(Glibc)
    import Glibc
#endif

extension RandomGenerator {
    /// An exponential variate, by inversion: −mean · ln u.
    ///
    /// - Precondition: `mean >= 0`.
    public func exponential(mean: Double) -> Double {
        precondition(mean >= 0, "exponential mean \(mean)")
        return -mean * log(uniform())
    }

    /// A Weibull variate, by inversion: scale · (−ln u)^(1/shape).
    ///
    /// - Precondition: both are positive.
    public func weibull(scale: Double, shape: Double) -> Double {
        precondition(scale > 0 && shape > 0, "Weibull scale \(scale), shape \(shape)")
        return scale * pow(-log(uniform()), 1 / shape)
    }

    /// A normal variate, by inversion.
    ///
    /// - Precondition: `deviation >= 0`.
    public func normal(mean: Double, deviation: Double) -> Double {
        precondition(deviation >= 0, "normal deviation \(deviation)")
        return mean + deviation * gsl_cdf_ugaussian_Pinv(uniform())
    }

    /// A variate whose logarithm is normal, by inversion. Its median is exp(`logMean`).
    ///
    /// - Precondition: `logDeviation >= 0`.
    public func lognormal(logMean: Double, logDeviation: Double) -> Double {
        exp(normal(mean: logMean, deviation: logDeviation))
    }

    /// The number of trials up to and with the first success: 1, 2, 3, …, with P(X > k) = (1 − 1/mean)^k.
    ///
    /// Exact inversion, so the distribution has no memory and no cut tail.
    ///
    /// - Precondition: `1 <= mean <= 2⁵⁰`: the longest draw, 37 means, stays far inside `Int`.
    public func geometric(mean: Double) -> Int {
        precondition(mean >= 1 && mean <= 0x1p50, "geometric mean \(mean) is outside 1 ... 2^50")
        let u = uniform()
        return mean == 1 ? 1 : 1 + Int(log(u) / log1p(-1 / mean))
    }

    /// A gamma variate; mean `shape · scale`, variance `shape · scale²`.
    ///
    /// - Precondition: both are positive.
    /// - Source: GSL `gsl_ran_gamma` (Marsaglia and Tsang 2000), which rejects: a varying number of draws.
    public func gamma(shape: Double, scale: Double) -> Double {
        precondition(shape > 0 && scale > 0, "gamma shape \(shape), scale \(scale)")
        return gsl_ran_gamma(gsl, shape, scale)
    }

    /// A Poisson variate.
    ///
    /// - Precondition: `0 <= mean <= 10⁹`: GSL counts in 32 bits.
    /// - Source: GSL `gsl_ran_poisson` (Ahrens and Dieter 1974), which uses a varying number of draws.
    public func poisson(mean: Double) -> Int {
        precondition(mean >= 0 && mean <= 1e9, "Poisson mean \(mean) is outside 0 ... 10^9")
        return Int(gsl_ran_poisson(gsl, mean))
    }
}
