import Randomness
import Statistics

/// How far one run's figures may lie from each other, and how much of that comes from what.
public struct Uncertainty: Hashable, Sendable {
    public enum Source: String, CaseIterable, Hashable, Sendable {
        /// Another draw of arrivals, lengths and noise from the same parameters.
        case sampling
        /// Step times that the calibration's errors leave possible.
        case calibration
        /// Rates and lengths that the traffic's evidence leaves possible.
        case demand

        var index: Int { Self.allCases.firstIndex(of: self)! }
    }

    /// In the order of `HeadlineFigure`.
    public var figures: [Figure]
    /// Pairs of independent draws, and runs played on them.
    public var draws: Int
    public var runs: Int
    /// What could not be drawn, and what was drawn how, a sentence each.
    public var notes: [String]

    public struct Figure: Hashable, Sendable {
        public var figure: HeadlineFigure
        /// The mean of all independent draws.
        public var mean: Double
        /// The middle 95 % of them: where the figure of one run lies when everything is as uncertain as it is.
        public var range: Estimate.Bounds
        /// Of the variance, in the order of `Source`; they sum to 1. All 0 where nothing varies.
        public var shares: [Share]
    }

    /// A source's part of a variance, with the 95 % interval of its estimate.
    public struct Share: Hashable, Sendable {
        public var value: Double
        public var interval: Estimate.Bounds
    }
}

/// Figures of a pick-freeze design: `plain` and `other` are independent draws of all sources, and `swapped[i]` is `plain`
/// with source i taken from `other`.
struct PickFreeze {
    struct Row {
        var plain: Double
        var other: Double
        var swapped: [Double]
    }

    /// Shares of the variance of k = 3 independent sources, which sum to 1.
    ///
    /// First-order and total effects are Jansen's estimators, sums of squares without cancellation:
    /// V_i = V − ½ mean (f(B) − f(A_B^i))² and T_i = ½ mean (f(A) − f(A_B^i))². Interactions are shared out evenly
    /// (Shapley effects), which for three sources needs no more than these six numbers.
    ///
    /// - Parameter active: Sources that vary at all; the others have no share.
    /// - Source: M. J. W. Jansen, Computer Physics Communications 117 (1999); A. Saltelli et al., Computer Physics
    ///   Communications 181 (2010), table 2; A. B. Owen, SIAM/ASA J. Uncertainty Quantification 2 (2014).
    static func shares(_ rows: [Row], active: [Bool]) -> [Double] {
        precondition(active.count == 3, "the closed form is for three sources")
        let values = rows.map(\.plain) + rows.map(\.other)
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
        // Runs that differ by rounding alone do not vary.
        guard variance > 1e-20 * mean * mean else { return [0, 0, 0] }
        func halfSquare(_ difference: (Row) -> Double) -> Double {
            rows.reduce(0) { $0 + difference($1) * difference($1) } / Double(2 * rows.count) / variance
        }
        func unit(_ value: Double) -> Double { min(1, max(0, value)) }
        let first = (0..<3).map { i in active[i] ? unit(1 - halfSquare { $0.other - $0.swapped[i] }) : 0 }
        let total = (0..<3).map { i in active[i] ? unit(halfSquare { $0.plain - $0.swapped[i] }) : 0 }
        let effects = (0..<3).map { i -> Double in
            guard active[i] else { return 0 }
            let others = (0..<3).filter { $0 != i }
            // Variance explained by a pair is all but the total effect of the third.
            let pairs = others.reduce(0.0) { sum, j in sum + (1 - total[3 - i - j]) - first[j] }
            return max(0, first[i] / 3 + pairs / 6 + total[i] / 3)
        }
        let sum = effects.reduce(0, +)
        return sum > 0 ? effects.map { $0 / sum } : effects
    }

    /// The middle 95 % of the shares that resampled rows give.
    ///
    /// - Source: the percentile bootstrap, Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), ch. 13.
    static func intervals(_ rows: [Row], active: [Bool], generator: RandomGenerator) -> [Estimate.Bounds] {
        let resampled = (0..<400).map { _ in
            shares(rows.map { _ in rows[generator.uniform(below: rows.count)] }, active: active)
        }
        return (0..<3).map { source in
            let sorted = resampled.map { $0[source] }.sorted()
            return Estimate.Bounds(lower: quantile(of: sorted, 0.025)!, upper: quantile(of: sorted, 0.975)!)
        }
    }
}
