/// What no plan can go below that leaves at most the allowed number of requests late, and a plan that comes near.
public struct ClairvoyantBound: Hashable, Sendable {
    /// Nanodollars. Every plan of the problem that leaves no more late than allowed costs at least this.
    public var lower: Int64
    /// The cheapest plan found that leaves no more late than allowed: an upper bound, which tells how tight the lower is.
    public var plan: ClairvoyantPlan
}

extension ClairvoyantProblem {
    /// The bound, by Lagrange's relaxation of the allowance.
    ///
    /// For any price p of lateness, min over plans of (cost + p · late) − p · allowed is at most the cost of every plan
    /// within the allowance; the largest of these over p is the bound. It is concave in p, and a plan that leaves more
    /// late than allowed says that p must rise. Each plan is exact, so the bound is true for whatever p the search ends
    /// at; more steps could only raise it.
    ///
    /// - Returns: `nil` when even the largest fleet leaves more late than allowed.
    /// - Complexity: O(60 × intervals × instances).
    public func bound() -> ClairvoyantBound? {
        var lower = Int128.min
        var kept: ClairvoyantPlan?
        /// Whether the best plan at a price of lateness is within the allowance.
        func isEnough(_ penalty: Int64) -> Bool {
            let plan = plan(penalty: penalty)
            lower = max(lower, Int128(plan.cost) + Int128(penalty) * Int128(plan.late - allowedLate))
            guard plan.late <= allowedLate else { return false }
            if plan.cost < kept?.cost ?? .max { kept = plan }
            return true
        }
        // Keeping the largest fleet all the time costs no more than this, so a late request is never worth more.
        var (low, high) = (Int64(0), max(1, (price.reduce(0, +) + startPrice) * Int64(maximum)))
        if !isEnough(low) {
            guard isEnough(high) else { return nil }
            while high - low > max(1, high / 1_000_000) {
                let middle = low + (high - low) / 2
                if isEnough(middle) { high = middle } else { low = middle }
            }
        }
        return kept.map { ClairvoyantBound(lower: Int64(clamping: lower), plan: $0) }
    }
}
