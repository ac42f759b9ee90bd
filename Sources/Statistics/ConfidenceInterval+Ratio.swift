import CGSL

extension ConfidenceInterval {
    /// The interval for E[a] / E[b], from pairs: how many times as much one policy costs as another on the same traffic.
    ///
    /// Fieller's: every ratio ρ for which the paired differences a − ρ·b have a mean that Student's test cannot tell from
    /// 0. So it leaves out 1 exactly when the paired interval of the differences leaves out 0, and it is exact where the
    /// pairs are normal.
    ///
    /// - Precondition: `a` and `b` have the same count, replications in the same order; `level` strictly between 0 and 1.
    /// - Returns: `nil` for fewer than two pairs, and where E[b] may be 0: then the ratios that fit have no bounds.
    /// - Source: Fieller, "Some problems in interval estimation", JRSS B 16 (1954).
    public static func pairedRatio(_ a: [Double], over b: [Double], level: Double) -> ConfidenceInterval? {
        precondition(a.count == b.count, "\(a.count) values cannot pair with \(b.count)")
        precondition(level > 0 && level < 1, "level \(level) is not between 0 and 1")
        guard a.count >= 2 else { return nil }
        let n = Double(a.count)
        let (meanA, meanB) = (a.reduce(0, +) / n, b.reduce(0, +) / n)
        func covariance(_ x: [Double], _ meanX: Double, _ y: [Double], _ meanY: Double) -> Double {
            zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / (n - 1) / n
        }
        let t = gsl_cdf_tdist_Pinv((1 + level) / 2, n - 1)
        // (ma − ρ·mb)² ≤ t²·(saa − 2ρ·sab + ρ²·sbb): a quadratic in ρ, open upwards while mb is clear of 0.
        let square = meanB * meanB - t * t * covariance(b, meanB, b, meanB)
        guard square > 0 else { return nil }
        let linear = meanA * meanB - t * t * covariance(a, meanA, b, meanB)
        let constant = meanA * meanA - t * t * covariance(a, meanA, a, meanA)
        let root = max(0, linear * linear - square * constant).squareRoot()
        return ConfidenceInterval(
            estimate: meanA / meanB, lower: (linear - root) / square, upper: (linear + root) / square, level: level)
    }
}

/// How often differences at least as large would be seen if their true mean were 0: Student's two-sided test.
///
/// - Returns: `nil` for fewer than two differences; 1 where all are 0, and 0 where all are another number.
public func pairedPValue(_ a: [Double], _ b: [Double]) -> Double? {
    precondition(a.count == b.count, "\(a.count) values cannot pair with \(b.count)")
    guard a.count >= 2 else { return nil }
    let n = Double(a.count)
    let differences = zip(a, b).map { $0 - $1 }
    let mean = differences.reduce(0, +) / n
    let error = (differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1) / n).squareRoot()
    guard error > 0 else { return mean == 0 ? 1 : 0 }
    return 2 * gsl_cdf_tdist_Q(abs(mean) / error, n - 1)
}

/// Which of several hypotheses may be rejected when the chance to reject even one that is true is to stay below `level`.
///
/// - Parameter pValues: In any order; the answer has the same.
/// - Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6 (1979).
public func holmRejections(_ pValues: [Double], level: Double) -> [Bool] {
    var rejected = [Bool](repeating: false, count: pValues.count)
    let ordered = pValues.indices.sorted { (pValues[$0], $0) < (pValues[$1], $1) }
    for (rank, index) in ordered.enumerated() {
        guard pValues[index] <= level / Double(pValues.count - rank) else { break }
        rejected[index] = true
    }
    return rejected
}
