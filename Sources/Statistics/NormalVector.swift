/// Normal errors that go together: a factor of their covariance, to draw them by.
public struct NormalVector: Hashable, Sendable {
    /// Lower triangular: covariance = factor · factorᵀ.
    private let factor: [[Double]]

    /// - Parameter covariance: Symmetric and positive semidefinite, [n, n].
    /// - Returns: `nil` when it is no covariance: negative in some direction by more than rounding.
    /// - Source: Cholesky's decomposition of the correlations; a direction without variance gives a column of zeros.
    public init?(covariance: [[Double]]) {
        let n = covariance.count
        precondition(covariance.allSatisfy { $0.count == n }, "a covariance is square")
        let deviations = (0..<n).map { max(0, covariance[$0][$0]).squareRoot() }
        var factor = Array(repeating: Array(repeating: 0.0, count: n), count: n)
        for column in 0..<n where deviations[column] > 0 {
            let known = (0..<column).reduce(0) { $0 + factor[column][$1] * factor[column][$1] }
            let rest = 1 - known
            guard rest > -1e-8 else { return nil }
            // What is left after the others is rounding: this one follows from them.
            guard rest > 1e-10 else { continue }
            factor[column][column] = rest.squareRoot()
            for row in (column + 1)..<max(n, column + 1) where deviations[row] > 0 {
                let correlation = covariance[row][column] / (deviations[row] * deviations[column])
                let shared = (0..<column).reduce(0) { $0 + factor[row][$1] * factor[column][$1] }
                factor[row][column] = (correlation - shared) / factor[column][column]
            }
        }
        self.factor = zip(factor, deviations).map { row, deviation in row.map { $0 * deviation } }
    }

    /// The errors that these standard normal numbers give.
    ///
    /// - Precondition: as many as there are errors.
    public func errors(_ normals: [Double]) -> [Double] {
        precondition(normals.count == factor.count, "\(normals.count) numbers for \(factor.count) errors")
        return factor.map { row in zip(row, normals).reduce(0) { $0 + $1.0 * $1.1 } }
    }
}
