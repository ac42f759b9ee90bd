import CGSL

/// How a residual counts in a fit.
public enum ResidualLoss: Hashable, Sendable, Codable {
    /// Its square: least squares.
    case squared
    /// Its square up to `threshold` robust deviations, linear beyond: an outlier pulls no harder than that.
    ///
    /// 1.345 keeps 95 % of the efficiency of least squares when the noise is normal.
    /// - Source: Huber, *Robust Statistics* (1981), §7; the constant from Holland and Welsch (1977).
    case huber(threshold: Double)
}

/// Why a fit has no answer.
public enum LeastSquaresError: Error, Hashable, Sendable {
    /// `rows`, `targets` and `nonNegative` disagree in number, or a row has another length.
    case shapeMismatch
    /// No coefficients, or not more rows than coefficients.
    case underdetermined(rows: Int, coefficients: Int)
    /// A feature or target of this row is NaN or infinite.
    case nonFinite(row: Int)
    /// A target that is not positive: no error is relative to it.
    case nonPositiveTarget(row: Int)
    /// A feature that is 0 in all rows: nothing says what its coefficient is.
    case emptyFeature(column: Int)
    /// The features are linearly dependent: of `coefficients` wanted only `rank` can be told apart.
    case collinear(rank: Int, coefficients: Int)
    /// The set of coefficients held at 0 did not settle within the iterations allowed.
    case notConverged
}

/// A linear model fitted to measurements by relative error.
public struct LeastSquaresFit: Hashable, Sendable {
    /// One per feature, in the unit of target per unit of feature.
    public var coefficients: [Double]
    /// Standard deviation of each coefficient; 0 for one held at its bound.
    public var standardErrors: [Double]
    /// [coefficients, coefficients]; rows and columns of a coefficient at its bound are 0.
    public var covariance: [[Double]]
    /// (predicted − target) / target, one per row.
    public var relativeResiduals: [Double]
    /// Whether each coefficient is held at 0, where a negative value would fit better.
    public var atBound: [Bool]

    /// The model at one row of features.
    ///
    /// - Precondition: one feature per coefficient.
    public func predicted(_ row: [Double]) -> Double {
        precondition(row.count == coefficients.count, "\(row.count) features for \(coefficients.count) coefficients")
        return zip(row, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
    }
}

/// Linear fits for quantities whose error grows with their size, such as step times.
public enum LeastSquares {
    /// Fits target ≈ Σ coefficient · feature, counting each error relative to its target.
    ///
    /// Rows are divided by their target, so a step of 1 ms and one of 1 s weigh the same. Columns are scaled to unit
    /// length first, so features may differ by many orders of magnitude.
    ///
    /// - Parameters:
    ///   - rows: Features, [rows, coefficients]. A constant is a feature of 1.
    ///   - targets: Positive, one per row.
    ///   - nonNegative: Which coefficients may not fall below 0; all are free when left out.
    ///   - loss: `.huber` iterates with weights from the residuals' median absolute value.
    /// - Returns: The fit. Standard errors take the coefficients at a bound as known. With ten rows a coefficient, each row
    ///   says itself how far it errs, so they hold too where rows err by different amounts or bend away from the model; with
    ///   fewer, all rows say it together.
    /// - Complexity: O(rows · coefficients²) for each set of free coefficients tried.
    /// - Source: Lawson and Hanson, *Solving Least Squares Problems* (1974), ch. 23, each subproblem by GSL's
    ///   singular value decomposition; Huber (1981), §7.8 for the weights; MacKinnon and White, "Some
    ///   heteroskedasticity-consistent covariance matrix estimators", J. Econometrics 29 (1985), HC3, with ψ for the residual.
    public static func relative(
        rows: [[Double]], targets: [Double], nonNegative: [Bool]? = nil, loss: ResidualLoss = .squared
    ) throws(LeastSquaresError) -> LeastSquaresFit {
        let system = try LeastSquaresSystem(rows: rows, targets: targets, nonNegative: nonNegative)
        var weights = [Double](repeating: 1, count: rows.count)
        var solution = try system.solve(weights: weights)
        var deviation: Double?
        if case .huber(let threshold) = loss {
            precondition(threshold > 0, "a Huber threshold of \(threshold)")
            // Each pass solves a convex problem more closely; fifty passes halve the distance far beyond 1e-12.
            for _ in 0..<50 {
                let residuals = system.residuals(of: solution.scaled)
                guard let scale = robustDeviation(residuals, coefficients: solution.free.count), scale > 1e-14 else {
                    break
                }
                deviation = scale * threshold
                weights = residuals.map { min(1, scale * threshold / max($0.magnitude, .leastNormalMagnitude)) }
                let next = try system.solve(weights: weights)
                let moved = zip(next.scaled, solution.scaled).map { ($0 - $1).magnitude }.max() ?? 0
                let size = next.scaled.map(\.magnitude).max() ?? 0
                solution = next
                if moved <= 1e-12 * size { break }
            }
        }
        return try system.fit(solution, clip: deviation)
    }

    /// The deviation that normal noise with this median absolute residual would have; `nil` with too few rows.
    ///
    /// The smallest residuals, one for each coefficient, are left out: a fit passes close to as many rows.
    private static func robustDeviation(_ residuals: [Double], coefficients: Int) -> Double? {
        let sizes = residuals.map(\.magnitude).sorted().dropFirst(coefficients)
        return quantile(of: Array(sizes), 0.5).map { $0 / 0.6745 }
    }
}
