import Studies

/// Which differences between policies are real, as sentences: the first policy shown against each of the others.
///
///     hpa-tuned costs 13 % less than static, 95 % interval 9 to 17 %; TTFT p99 not distinguishable
public enum DifferenceText {
    /// One sentence for each of the other policies, then what varied; none where a single policy was run.
    public static func sentences(_ comparison: Comparison) -> [String] {
        let differences = comparison.differences
        guard let first = differences.first else { return [] }
        let others = comparison.rows.map(\.policy).filter { other in
            other != first.policy && differences.contains { $0.reference == other }
        }
        return others.map { other in
            sentence(differences.filter { $0.reference == other }, comparison)
        } + [basis(comparison)]
    }

    /// One policy against one other: what differs, then what does not, then what cannot be told.
    private static func sentence(_ differences: [PolicyDifference], _ comparison: Comparison) -> String {
        var clauses = differences.compactMap { clause($0, comparison) }
        let others = differences.filter { $0.headline != .cost }
        let silent = others.filter { $0.verdict == .indistinguishable }.map(\.headline.name)
        if !silent.isEmpty { clauses.append(list(silent) + " not distinguishable") }
        let same = others.filter { $0.verdict == .same }.map(\.headline.name)
        if !same.isEmpty { clauses.append(list(same) + " the same") }
        var reasons: [(reason: String, names: [String])] = []
        for difference in differences {
            guard case .unknown(let reason) = difference.verdict else { continue }
            if let index = reasons.firstIndex(where: { $0.reason == reason }) {
                reasons[index].names.append(difference.headline.name)
            } else {
                reasons.append((reason, [difference.headline.name]))
            }
        }
        clauses += reasons.map { "no interval for \(list($0.names)): \($0.reason)" }
        return clauses.joined(separator: "; ")
    }

    /// What is said of one headline; `nil` for one that a list names. Of the cost something is always said.
    private static func clause(_ difference: PolicyDifference, _ comparison: Comparison) -> String? {
        let (a, b) = (difference.policy, difference.reference)
        if case .different(let jointly) = difference.verdict {
            return change(difference) + (jointly ? "" : ", which may be chance among so many comparisons")
        }
        guard difference.headline == .cost else { return nil }
        switch difference.verdict {
        case .same: return "\(a) and \(b) cost the same"
        case .indistinguishable:
            return "the costs of \(a) and \(b) are not distinguishable" + ratioInterval(difference)
        case .different, .unknown:
            guard let costA = comparison.rows.first(where: { $0.policy == a })?.cost.value,
                let costB = comparison.rows.first(where: { $0.policy == b })?.cost.value, costB > 0
            else { return "\(a) against \(b)" }
            let change = costA / costB - 1
            return "\(a) costs \(percent(change.magnitude)) \(change < 0 ? "less" : "more") than \(b)"
        }
    }

    private static func change(_ difference: PolicyDifference) -> String {
        let (a, b) = (difference.policy, difference.reference)
        let isCost = difference.headline == .cost
        if let ratio = difference.ratio, let bounds = ratio.ci95 {
            let isLess = ratio.value < 1
            let word = isCost ? (isLess ? "less" : "more") : (isLess ? "shorter" : "longer")
            let ends = isLess ? (1 - bounds.upper, 1 - bounds.lower) : (bounds.lower - 1, bounds.upper - 1)
            let text = shares((ratio.value - 1).magnitude, ends)
            return isCost
                ? "\(a) costs \(text.value) \(word) than \(b), 95 % interval \(text.interval)"
                : "\(difference.headline.name) \(text.value) \(word), 95 % interval \(text.interval)"
        }
        guard let estimate = difference.difference, let bounds = estimate.ci95 else { return difference.headline.name }
        let isLess = estimate.value < 0
        let ends = isLess ? (-bounds.upper, -bounds.lower) : (bounds.lower, bounds.upper)
        switch difference.headline {
        case .attainment:
            let text = shares(estimate.value.magnitude, ends)
            return "SLO attainment \(text.value.dropLast(2)) points \(isLess ? "lower" : "higher"), 95 % interval "
                + text.interval.dropLast(2)
        case .cost:
            return "\(a) costs \(money(dollars: estimate.value.magnitude)) \(isLess ? "less" : "more") than \(b), "
                + "95 % interval \(money(dollars: ends.0)) to \(money(dollars: ends.1))"
        case .ttftP99, .itlP99:
            return "\(difference.headline.name) \(latency(milliseconds: estimate.value.magnitude)) "
                + "\(isLess ? "shorter" : "longer"), 95 % interval \(latency(milliseconds: ends.0)) to "
                + latency(milliseconds: ends.1)
        }
    }

    /// `, the ratio's 95 % interval −2 to 3 %`: what a difference may at most be.
    private static func ratioInterval(_ difference: PolicyDifference) -> String {
        guard let bounds = difference.ratio?.ci95 else { return "" }
        let text = shares(1, (bounds.lower - 1, bounds.upper - 1))
        return ", 95 % interval \(text.interval)"
    }

    private static func basis(_ comparison: Comparison) -> String {
        comparison.replications > 1
            ? "Differences are \(PolicyDifference.method); varied: \(comparison.varied)."
            : "Differences are \(PolicyDifference.methodOfOneRun); --replications says more."
    }

    private static func list(_ names: [String]) -> String {
        names.count < 2
            ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + names[names.count - 1]
    }

    /// Shares as percentages, with as many decimals as the interval is wide for, two at most.
    private static func shares(
        _ value: Double, _ ends: (Double, Double)
    ) -> (value: String, interval: String) {
        let width = (ends.1 - ends.0).magnitude * 100
        let decimals = width >= 2 ? 0 : width >= 0.2 ? 1 : 2
        func number(_ share: Double) -> String { String(percent(share, decimals).dropLast(2)) }
        return (number(value) + " %", "\(number(ends.0)) to \(number(ends.1)) %")
    }
}
