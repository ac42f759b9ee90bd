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
            + reasons.map { "no interval for \(refused[$0]!.joined(separator: ", ")): \($0); --replications gives one" }
    }

    private static func warmUp(_ content: ReportContent) -> [String] {
        content.batches.map { [$0.warmUp.sentence] } ?? []
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
