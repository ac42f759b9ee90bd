import Statistics

#if canImport(Glibc)
    import Glibc
#endif

/// When a fleet counts as keeping its promise: a run meets the SLO when every class reaches its attainment, and a fleet
/// may miss in at most the share `risk` of draws of the traffic.
public struct SizingRule: Hashable, Sendable {
    /// The probability of missing that is accepted. Range: above 0, below 1.
    public var risk: Double
    /// Draws of the traffic that decide. At least 1.
    public var draws: Int

    /// - Parameter draws: Without it, as many as it takes for a fleet that misses on none to be proved at 95 %: 59 at a
    ///   risk of 5 %.
    public init(risk: Double, draws: Int? = nil) {
        precondition(risk > 0 && risk < 1 && (draws ?? 1) >= 1, "risk \(risk) on \(draws ?? 0) draws")
        self.risk = risk
        self.draws = draws ?? Int((log(0.05) / log(1 - risk)).rounded(.up))
    }

    /// Draws that a fleet may miss on and still be accepted.
    public var allowedMisses: Int { Int((risk * Double(draws) + 1e-9).rounded(.down)) }

    /// Whether a fleet that missed on so many of its first draws is out: exactly, because too many are missed already,
    /// or because a fleet within the risk would do so in fewer than one of a thousand studies.
    public func refutes(misses: Int, of draws: Int) -> Bool {
        if misses > allowedMisses { return true }
        guard draws < self.draws else { return false }
        return binomialUpperTail(successes: misses, trials: draws, probability: risk) < 0.001
    }

    /// Whether misses on fresh draws, which had no part in a choice, contradict the risk: at a level of 5 %.
    public func contradicts(misses: Int, of draws: Int) -> Bool {
        binomialUpperTail(successes: misses, trials: draws, probability: risk) < 0.05
    }
}
