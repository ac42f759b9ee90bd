import CGSL

/// Intervals for a probability that was seen as successes among trials.
public enum BinomialInterval {
    /// The exact interval for a success probability; it covers the truth at least at `level`.
    ///
    /// - Precondition: `0 <= successes <= trials`, `trials >= 1`, `level` strictly between 0 and 1.
    /// - Source: Clopper and Pearson, Biometrika 26 (1934), by quantiles of the beta distribution.
    public static func clopperPearson(successes: Int, trials: Int, level: Double) -> ConfidenceInterval {
        precondition(trials >= 1 && (0...trials).contains(successes), "\(successes) successes of \(trials) trials")
        precondition(level > 0 && level < 1, "level \(level) is not between 0 and 1")
        let tail = (1 - level) / 2
        let (k, n) = (Double(successes), Double(trials))
        return ConfidenceInterval(
            estimate: k / n, lower: successes == 0 ? 0 : gsl_cdf_beta_Pinv(tail, k, n - k + 1),
            upper: successes == trials ? 1 : gsl_cdf_beta_Qinv(tail, k + 1, n - k), level: level)
    }
}

/// The probability of a count at least as unlikely as `successes`, if each of `trials` succeeds with `probability`.
///
/// Answers whether the misses of 200 intervals agree with the 1 % they claim: a small value says that they do not.
///
/// - Precondition: `0 <= successes <= trials`, `probability` in `0...1`.
/// - Complexity: O(`trials`).
/// - Source: the exact two-sided test that sums every count no more probable than the one seen (Fisher's rule).
public func binomialTwoSidedPValue(successes: Int, trials: Int, probability: Double) -> Double {
    precondition(trials >= 0 && (0...trials).contains(successes), "\(successes) successes of \(trials) trials")
    precondition((0...1).contains(probability), "probability \(probability)")
    func mass(_ k: Int) -> Double { gsl_ran_binomial_pdf(UInt32(k), probability, UInt32(trials)) }
    // Counts of equal probability may differ in their last bits; the margin keeps them together.
    let seen = mass(successes) * (1 + 1e-9)
    return min(1, (0...trials).reduce(0) { $0 + (mass($1) <= seen ? mass($1) : 0) })
}
