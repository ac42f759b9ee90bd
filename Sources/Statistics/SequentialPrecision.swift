/// When to stop adding replications: an estimate's interval is narrow enough against the estimate itself.
///
/// After each replication from `minimum` on, the interval is made anew from all so far, and the procedure stops at the
/// first whose half-width is at most γ / (1 + γ) of the estimate, with γ = `share`. The divisor keeps the error against
/// the unknown truth, and not only against the estimate, within γ. Because it stops where the spread looks small, it covers
/// a little less than its level at small counts; ten replications to start with keep that loss to a point or two.
///
/// - Source: the sequential procedure of Law and Kelton; Law, *Simulation Modeling and Analysis*, 5th ed., §9.4.1, after
///   Chow and Robbins, Ann. Math. Statist. 36 (1965).
public struct SequentialPrecision: Hashable, Sendable, Codable {
    /// The half-width wanted, as a share of the estimate. Range: above 0, below 1.
    public var share: Double
    /// Replications before the first look. At least 2.
    public var minimum: Int
    /// Replications at which to give up. At least `minimum`.
    public var maximum: Int

    public init(share: Double, minimum: Int = 10, maximum: Int = 200) {
        precondition(share > 0 && share < 1, "a precision of \(share)")
        precondition(minimum >= 2 && maximum >= minimum, "\(minimum) to \(maximum) replications")
        self.share = share
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The half-width over the estimate at which to stop.
    public var threshold: Double { share / (1 + share) }

    /// Whether the interval is narrow enough. One without any width is.
    public func isReached(by interval: ConfidenceInterval) -> Bool {
        interval.halfWidth <= threshold * interval.estimate.magnitude
    }
}
