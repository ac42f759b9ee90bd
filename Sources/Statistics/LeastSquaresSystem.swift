import CGSL

/// The scaled problem behind a relative fit: every target is 1 and every column has unit length.
struct LeastSquaresSystem {
    struct Solution {
        /// Coefficients of the scaled columns; 0 where held.
        var scaled: [Double]
        /// Columns not held at 0, ascending.
        var free: [Int]
    }

    private let rows: [[Double]]
    private let lengths: [Double]
    private let nonNegative: [Bool]

    init(rows: [[Double]], targets: [Double], nonNegative: [Bool]?) throws(LeastSquaresError) {
        let count = rows.first?.count ?? 0
        let bounded = nonNegative ?? [Bool](repeating: false, count: count)
        guard rows.count == targets.count, bounded.count == count, rows.allSatisfy({ $0.count == count }) else {
            throw .shapeMismatch
        }
        // A row more than coefficients: with as many, no residual is left to tell the noise.
        guard rows.count > count, count > 0 else {
            throw .underdetermined(rows: rows.count, coefficients: count)
        }
        for (index, row) in rows.enumerated() {
            guard targets[index].isFinite, row.allSatisfy(\.isFinite) else { throw .nonFinite(row: index) }
            guard targets[index] > 0 else { throw .nonPositiveTarget(row: index) }
        }
        let relative = zip(rows, targets).map { row, target in row.map { $0 / target } }
        var lengths: [Double] = []
        for column in 0..<count {
            let length = relative.reduce(0) { $0 + $1[column] * $1[column] }.squareRoot()
            guard length > 0 else { throw .emptyFeature(column: column) }
            lengths.append(length)
        }
        self.rows = relative.map { row in zip(row, lengths).map { $0 / $1 } }
        self.lengths = lengths
        self.nonNegative = bounded
    }

    /// Predicted less wanted, in units of the target.
    func residuals(of scaled: [Double]) -> [Double] {
        rows.map { row in zip(row, scaled).reduce(-1) { $0 + $1.0 * $1.1 } }
    }

    // MARK: - Active set

    /// The coefficients that minimise Σ weight · residual², with those of `nonNegative` at least 0.
    func solve(weights: [Double]) throws(LeastSquaresError) -> Solution {
        var free = nonNegative.indices.filter { !nonNegative[$0] }
        var point = [Double](repeating: 0, count: nonNegative.count)
        if !free.isEmpty { point = try unbounded(free, weights: weights).coefficients }
        // Each turn frees the column that promises most, then gives back those that would fall below 0. The objective
        // falls with every turn, so no set comes twice; the limit is for rounding that would make it circle.
        for _ in 0..<(3 * nonNegative.count + 10) {
            let residuals = residuals(of: point)
            var best: (column: Int, gain: Double)?
            for column in nonNegative.indices where !free.contains(column) {
                let gain = -rows.indices.reduce(0.0) { $0 + weights[$1] * rows[$1][column] * residuals[$1] }
                if gain > 1e-10 * Double(rows.count).squareRoot(), gain > best?.gain ?? 0 { best = (column, gain) }
            }
            guard let best else { return Solution(scaled: point, free: free) }
            free = (free + [best.column]).sorted()
            var target = try unbounded(free, weights: weights).coefficients
            while let step = firstCrossing(from: point, to: target, free: free) {
                for column in free { point[column] += step * (target[column] - point[column]) }
                free.removeAll { nonNegative[$0] && point[$0] <= 1e-14 && target[$0] <= 0 }
                for column in point.indices where !free.contains(column) { point[column] = 0 }
                target = try unbounded(free, weights: weights).coefficients
            }
            point = target
        }
        throw .notConverged
    }

    /// How far one may go from a feasible point towards `target` before a bounded coefficient would turn negative;
    /// `nil` when all the way.
    private func firstCrossing(from point: [Double], to target: [Double], free: [Int]) -> Double? {
        var step: Double?
        for column in free where nonNegative[column] && target[column] <= 0 {
            let share = point[column] / (point[column] - target[column])
            step = min(step ?? 1, share.isFinite ? share : 0)
        }
        return step
    }

    // MARK: - One unbounded problem

    /// The weighted least squares solution over the free columns, with (AᵀWA)⁻¹ over them.
    private func unbounded(
        _ free: [Int], weights: [Double]
    ) throws(LeastSquaresError) -> (coefficients: [Double], inverse: [[Double]]) {
        var coefficients = [Double](repeating: 0, count: nonNegative.count)
        guard !free.isEmpty else { return (coefficients, []) }
        _ = GSL.isQuiet
        let (n, p) = (rows.count, free.count)
        guard let matrix = gsl_matrix_alloc(n, p), let wanted = gsl_vector_alloc(n), let found = gsl_vector_alloc(p),
            let covariance = gsl_matrix_alloc(p, p), let workspace = gsl_multifit_linear_alloc(n, p)
        else { fatalError("out of memory") }
        defer {
            gsl_matrix_free(matrix)
            gsl_vector_free(wanted)
            gsl_vector_free(found)
            gsl_matrix_free(covariance)
            gsl_multifit_linear_free(workspace)
        }
        for i in 0..<n {
            let root = weights[i].squareRoot()
            gsl_vector_set(wanted, i, root)
            for (j, column) in free.enumerated() { gsl_matrix_set(matrix, i, j, root * rows[i][column]) }
        }
        var rank = 0
        var squares = 0.0
        let status = gsl_multifit_linear_tsvd(matrix, wanted, 1e-12, found, covariance, &squares, &rank, workspace)
        guard status == GSL_SUCCESS else { throw .notConverged }
        guard rank == p else { throw .collinear(rank: rank, coefficients: p) }
        for (j, column) in free.enumerated() { coefficients[column] = gsl_vector_get(found, j) }
        // GSL scales its covariance by the residual variance; this caller scales by its own.
        let variance = squares / Double(n - p)
        let inverse = (0..<p).map { a in
            (0..<p).map { b in variance > 0 ? gsl_matrix_get(covariance, a, b) / variance : 0 }
        }
        return (coefficients, inverse)
    }

    // MARK: - Result

    /// The fit in the caller's units. Residuals beyond `clip` count as `clip`.
    func fit(_ solution: Solution, clip: Double?) throws(LeastSquaresError) -> LeastSquaresFit {
        let residuals = residuals(of: solution.scaled)
        let inverse = try unbounded(solution.free, weights: [Double](repeating: 1, count: rows.count)).inverse
        let limit = clip ?? .infinity
        let kept = Double(residuals.count { $0.magnitude <= limit }) / Double(rows.count)
        let squares = residuals.reduce(0.0) { $0 + min($1 * $1, limit * limit) }
        let degrees = Double(rows.count - solution.free.count)
        // Huber's covariance without its small-sample factor: Σψ² / (n − p) over the squared share of rows with ψ′ = 1.
        let variance = kept > 0 ? squares / degrees / (kept * kept) : 0
        let count = lengths.count
        var covariance = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
        for (a, row) in solution.free.enumerated() {
            for (b, column) in solution.free.enumerated() {
                covariance[row][column] = variance * inverse[a][b] / (lengths[row] * lengths[column])
            }
        }
        return LeastSquaresFit(
            coefficients: zip(solution.scaled, lengths).map { $0 / $1 },
            standardErrors: (0..<count).map { covariance[$0][$0].squareRoot() }, covariance: covariance,
            relativeResiduals: residuals, atBound: (0..<count).map { !solution.free.contains($0) })
    }
}

/// GSL as this module needs it: it answers with codes and NaN, and never aborts the process.
enum GSL {
    static let isQuiet: Bool = {
        _ = gsl_set_error_handler_off()
        return true
    }()
}
