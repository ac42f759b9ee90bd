import Testing

@testable import Statistics

@Suite("Least squares")
struct LeastSquaresTests {
    /// Steps over a grid of sequences and context, features six orders of magnitude apart.
    private let rows: [[Double]] = (1...8).flatMap { s in (0...6).map { c in [1, Double(s), Double(c) * 1e6] } }
    private func value(_ row: [Double]) -> Double { 2e6 * row[0] + 3e4 * row[1] + 0.5 * row[2] }
    /// Errors of ±`size` that no feature explains.
    private func alternating(_ size: Double) -> [Double] { rows.indices.map { $0 * 7 % 3 == 0 ? size : -size / 2 } }

    @Test("An exact model is found exactly, whatever the units")
    func exact() throws {
        let fit = try LeastSquares.relative(rows: rows, targets: rows.map(value))
        for (found, wanted) in zip(fit.coefficients, [2e6, 3e4, 0.5]) { #expect(abs(found - wanted) < 1e-9 * wanted) }
        #expect(fit.relativeResiduals.allSatisfy { abs($0) < 1e-12 })
        #expect(fit.atBound == [false, false, false])
    }

    @Test("Errors count relative to their target: 10 % off at 1 weighs as 10 % off at 1,000")
    func relative() throws {
        // One coefficient for targets 1 and 1000, each with feature equal to the truth, the second measured 20 % high.
        // Minimising (c − 1)² + (c/1.2 − 1)² gives c = (1 + 1/1.2) / (1 + 1/1.44).
        let fit = try LeastSquares.relative(rows: [[1], [1000]], targets: [1, 1200])
        #expect(abs(fit.coefficients[0] - (1 + 1 / 1.2) / (1 + 1 / 1.44)) < 1e-12)
    }

    @Test("A coefficient that wants to be negative is held at 0 and the others are fitted without it")
    func nonNegative() throws {
        let rows: [[Double]] = [[1, 0], [1, 1], [1, 2], [1, 3]]
        let targets = [6.0, 5, 4.5, 4]
        let free = try LeastSquares.relative(rows: rows, targets: targets)
        #expect(free.coefficients[1] < 0)
        let bounded = try LeastSquares.relative(rows: rows, targets: targets, nonNegative: [true, true])
        // Only the constant is left: Σ 1/T over Σ 1/T².
        let constant = targets.reduce(0) { $0 + 1 / $1 } / targets.reduce(0) { $0 + 1 / ($1 * $1) }
        #expect(abs(bounded.coefficients[0] - constant) < 1e-12)
        #expect(bounded.coefficients[1] == 0 && bounded.atBound == [false, true] && bounded.standardErrors[1] == 0)
        let half = try LeastSquares.relative(rows: rows, targets: targets, nonNegative: [true, false])
        #expect(abs(half.coefficients[1] - free.coefficients[1]) < 1e-12)
    }

    @Test("The bounded solution meets the Kuhn–Tucker conditions", arguments: 0..<40)
    func kuhnTucker(seed: Int) throws {
        var state = UInt64(seed) &* 2_654_435_769 &+ 99
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53
        }
        let rows = (0..<30).map { _ in (0..<6).map { _ in uniform() - 0.3 } }
        let targets = rows.map { row in 1 + 0.5 * row[0] - 0.7 * row[1] + 0.4 * row[2] + 0.3 * uniform() }
        let fit = try LeastSquares.relative(
            rows: rows, targets: targets, nonNegative: [true, true, true, false, true, true])
        for column in 0..<6 {
            let gradient = rows.indices.reduce(0.0) {
                $0 + rows[$1][column] / targets[$1] * fit.relativeResiduals[$1]
            }
            #expect(fit.coefficients[column] >= 0 || column == 3)
            #expect(fit.atBound[column] ? gradient > -1e-8 : abs(gradient) < 1e-8)
        }
    }

    @Test("Standard errors are those of the textbook: σ/√n for a constant")
    func standardErrors() throws {
        let noise = [0.1, -0.1, 0.05, -0.05, 0.08, -0.08]
        let fit = try LeastSquares.relative(
            rows: noise.map { [1 + $0] }, targets: [Double](repeating: 1, count: noise.count))
        let squares = noise.reduce(0) { $0 + (1 + $1) * (1 + $1) }
        let residuals = noise.map { (1 + $0) * fit.coefficients[0] - 1 }
        let variance = residuals.reduce(0) { $0 + $1 * $1 } / 5
        #expect(abs(fit.standardErrors[0] - (variance / squares).squareRoot()) < 1e-12)
        #expect(abs(fit.covariance[0][0] - variance / squares) < 1e-14)
    }

    @Test("Standard errors scale back with the feature's unit")
    func errorUnits() throws {
        let targets = zip(rows, alternating(0.02)).map { value($0) * (1 + $1) }
        let fit = try LeastSquares.relative(rows: rows, targets: targets)
        let scaled = try LeastSquares.relative(rows: rows.map { [$0[0], $0[1], $0[2] / 1000] }, targets: targets)
        #expect(abs(scaled.standardErrors[2] / fit.standardErrors[2] - 1000) < 1e-6)
        #expect(abs(scaled.covariance[0][2] / fit.covariance[0][2] - 1000) < 1e-6)
    }

    @Test("Standard errors hold where some rows err ten times as much as others")
    func unequalErrors() throws {
        var state: UInt64 = 7
        func sign() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 63 == 0 ? 1 : -1
        }
        let rows = (1...60).map { [1, Double($0)] }
        let fits = try (0..<400).map { _ in
            let targets = rows.map { (5 + $0[1]) * (1 + ($0[1] > 50 ? 0.1 : 0.01) * sign()) }
            return try LeastSquares.relative(rows: rows, targets: targets)
        }
        for column in 0..<2 {
            let values = fits.map { $0.coefficients[column] }
            let mean = values.reduce(0, +) / 400
            let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 399).squareRoot()
            let stated = fits.reduce(0) { $0 + $1.standardErrors[column] } / 400
            // Of 400 draws the deviation is known to 4 %; one variance for all rows is off by 14 and by 75 %.
            #expect(abs(stated / deviation - 1) < 0.12, "\(column): \(stated) stated, \(deviation) seen")
        }
    }

    @Test("A few wild measurements spoil least squares and not the robust fit")
    func robust() throws {
        let targets = rows.indices.map { i in
            value(rows[i]) * (1 + alternating(0.01)[i]) * (i % 13 == 5 ? 0.25 : 1)
        }
        func error(_ loss: ResidualLoss) throws -> Double {
            let fit = try LeastSquares.relative(rows: rows, targets: targets, loss: loss)
            return zip(fit.coefficients, [2e6, 3e4, 0.5]).map { abs($0 - $1) / $1 }.max() ?? 0
        }
        #expect(try error(.squared) > 0.1)
        #expect(try error(.huber(threshold: 1.345)) < 0.1)
    }

    @Test("Without outliers the robust fit agrees with least squares to a standard error")
    func robustIsEfficient() throws {
        let targets = zip(rows, alternating(0.02)).map { value($0) * (1 + $1) }
        let plain = try LeastSquares.relative(rows: rows, targets: targets)
        let robust = try LeastSquares.relative(rows: rows, targets: targets, loss: .huber(threshold: 1.345))
        for k in 0..<3 {
            #expect(abs(plain.coefficients[k] - robust.coefficients[k]) < 2 * plain.standardErrors[k])
            #expect(robust.standardErrors[k] > 0)
        }
    }

    @Test("Input that has no answer says why")
    func errors() {
        func error(_ rows: [[Double]], _ targets: [Double], _ bounds: [Bool]? = nil) -> LeastSquaresError? {
            do throws(LeastSquaresError) {
                _ = try LeastSquares.relative(rows: rows, targets: targets, nonNegative: bounds)
                return nil
            } catch { return error }
        }
        #expect(error([[1, 2]], [1]) == .underdetermined(rows: 1, coefficients: 2))
        #expect(error([], []) == .underdetermined(rows: 0, coefficients: 0))
        #expect(error([[1], [1, 2]], [1, 1]) == .shapeMismatch)
        #expect(error([[1], [2]], [1, 1], [true, false]) == .shapeMismatch)
        #expect(error([[1], [.nan]], [1, 1]) == .nonFinite(row: 1))
        #expect(error([[1], [2]], [1, 0]) == .nonPositiveTarget(row: 1))
        #expect(error([[1, 0], [2, 0], [3, 0]], [1, 1, 1]) == .emptyFeature(column: 1))
        #expect(error([[1, 2], [2, 4], [3, 6]], [1, 1, 1]) == .collinear(rank: 1, coefficients: 2))
    }
}
