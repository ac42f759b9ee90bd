import Studies

/// How sure a result is, in lines: intervals with what varied, or why there are none, the warm-up, the precision.
public enum UncertaintyText {
    /// The lines for the run whose files lie beside them.
    public static func lines(_ content: ReportContent) -> [String] {
        intervals(content) + warmUp(content) + precision(content)
    }

    private static func intervals(_ content: ReportContent) -> [String] {
        if let estimates = content.estimates {
            let known = Headline.allCases.compactMap { headline -> String? in
                estimates.entries.first { $0.path == headline.path }.flatMap { text(headline, $0.estimate) }
            }
            return [
                "95 %: \(known.joined(separator: ", ")); over \(estimates.replications) replications, "
                    + "varied: \(estimates.varied)"
            ]
        }
        guard let batches = content.batches else { return [] }
        var known: [String] = []
        var refused: [String: [String]] = [:]
        var reasons: [String] = []
        for headline in Headline.allCases {
            guard let entry = batches.entries.first(where: { $0.path == headline.path }) else { continue }
            switch entry.outcome {
            case .estimate(let estimate): known += [text(headline, estimate)].compactMap { $0 }
            case .refused(let reason):
                if refused[reason] == nil { reasons.append(reason) }
                refused[reason, default: []].append(headline.name)
            }
        }
        let given = known.isEmpty ? [] : ["95 %: \(known.joined(separator: ", ")); varied: \(BatchEstimates.varied)"]
        return given
            + reasons.map { "no interval for \(refused[$0]!.joined(separator: ", ")) from one run: \($0)" }
    }

    private static func warmUp(_ content: ReportContent) -> [String] {
        content.batches.map { [sentence($0.warmUp)] } ?? []
    }

    /// How long a run took to settle, and what was done about it.
    static func sentence(_ warmUp: WarmUp) -> String {
        let method = "\(WarmUp.method) on mean TTFT"
        guard let span = warmUp.detected else {
            if warmUp.isTooShort { return "warm-up: too few requests to look for one (\(method))" }
            return "warm-up: the run does not settle in its first half (\(method))"
                + (warmUp.isTrafficStationary ? "" : ", as may be where the rate varies by plan") + "; nothing is cut"
        }
        guard span > .zero else { return "warm-up: none (\(method))" }
        if warmUp.isCut {
            return "warm-up: the first \(spelled(span)) (\(method)), left out of the long-run estimates"
        }
        return warmUp.isTrafficStationary
            ? "warm-up: the first \(spelled(span)) (\(method)), kept as asked"
            : "warm-up: \(method) would leave out the first \(spelled(span)); kept, because the rate varies by plan"
    }

    private static func precision(_ content: ReportContent) -> [String] {
        guard let precision = content.precision else { return [] }
        let asked = trimmed(percent(precision.asked.share, 2))
        let widest = precision.widest.map {
            "; the widest is \($0.headline.name) of \($0.policy), ± \(percent($0.relativeHalfWidth, 2))"
        }
        return [
            "precision \(asked) \(precision.isReached ? "reached" : "not reached") with \(precision.replications) "
                + "replications\(widest ?? "")"
        ]
    }

    /// `cost $41.20 – $43.10`.
    private static func text(_ headline: Headline, _ estimate: Estimate) -> String? {
        guard let bounds = estimate.ci95 else { return nil }
        let ends =
            switch headline {
            case .cost: interval(bounds) { money(dollars: $0) }
            case .attainment: interval(bounds) { attainmentText(min(max($0, 0), 1)) }
            case .ttftP99, .itlP99: interval(bounds) { latency(milliseconds: max($0, 0)) }
            }
        return "\(headline.name) \(ends)"
    }
}
