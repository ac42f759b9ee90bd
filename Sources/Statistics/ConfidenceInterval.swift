import CGSL

/// An estimate with the interval that covers the truth at a stated level.
public struct ConfidenceInterval: Hashable, Sendable, Codable {
    public var estimate: Double
    public var lower: Double
    public var upper: Double
    /// The share of such intervals that cover the truth. Range: 0..<1.
    public var level: Double

    public init(estimate: Double, lower: Double, upper: Double, level: Double) {
        self.estimate = estimate
        self.lower = lower
        self.upper = upper
        self.level = level
    }

    /// Half the interval's width.
    public var halfWidth: Double { (upper - lower) / 2 }

    /// Whether `value` lies in the closed interval.
    public func contains(_ value: Double) -> Bool { lower <= value && value <= upper }

    /// The interval for the mean of independent values that are near normal, such as the means of replications.
    ///
    /// - Parameter level: Strictly between 0 and 1, such as 0.95.
    /// - Returns: `nil` for fewer than two values: one value says nothing of its own spread.
    /// - Source: Student's t; Law, *Simulation Modeling and Analysis*, 5th ed., §4.5.
    public static func student(_ values: [Double], level: Double) -> ConfidenceInterval? {
        precondition(level > 0 && level < 1, "level \(level) is not between 0 and 1")
        guard values.count >= 2 else { return nil }
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        let half = gsl_cdf_tdist_Pinv((1 + level) / 2, n - 1) * (variance / n).squareRoot()
        return ConfidenceInterval(estimate: mean, lower: mean - half, upper: mean + half, level: level)
    }

    /// The interval for the mean of `a[i] − b[i]`: two policies over the same traffic, replication by replication.
    ///
    /// Common random numbers make the differences vary less than either side does.
    ///
    /// - Precondition: `a` and `b` have the same count, replications in the same order.
    /// - Returns: `nil` for fewer than two pairs.
    public static func paired(_ a: [Double], _ b: [Double], level: Double) -> ConfidenceInterval? {
        precondition(a.count == b.count, "\(a.count) values cannot pair with \(b.count)")
        return student(zip(a, b).map { $0 - $1 }, level: level)
    }
}
