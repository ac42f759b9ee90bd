import CGSL

/// The probability of at least `successes` among `trials` that succeed with `probability` each.
///
///     binomialUpperTail(successes: 2, trials: 2, probability: 0.05)   // 0.0025
///
/// - Precondition: `0 <= successes <= trials`, `probability` in `0...1`.
public func binomialUpperTail(successes: Int, trials: Int, probability: Double) -> Double {
    precondition(trials >= 0 && (0...trials).contains(successes), "\(successes) successes of \(trials) trials")
    precondition((0...1).contains(probability), "probability \(probability)")
    guard successes > 0 else { return 1 }
    return gsl_cdf_binomial_Q(UInt32(successes - 1), probability, UInt32(trials))
}
