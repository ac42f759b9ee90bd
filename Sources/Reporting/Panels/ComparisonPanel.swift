import Studies

/// Policies side by side: what each costs, whether it keeps the promise, whether the order survives a wrong profile.
struct ComparisonPanel {
    private let comparison: Comparison
    /// The policy the rest of the page is about.
    private let chosen: String

    init(_ comparison: Comparison, chosen: String) {
        self.comparison = comparison
        self.chosen = chosen
    }

    var panel: Panel {
        Panel(
            id: "policies", title: "Policies compared", lead: lead,
            body: """
                \(dots)
                \(findings)
                \(table.html)
                \(clairvoyant)
                \(variants)
                <p class="small">\(footnote)</p>
                """)
    }

    private var ranked: [ComparisonRow] { comparison.rows.filter(\.meetsSLO) }

    private var lead: String {
        let missing = comparison.rows.count - ranked.count
        guard let best = ranked.first else { return "No policy meets the SLO, so none is ranked." }
        let rest = missing > 0 ? " \(missing) of \(comparison.rows.count) miss it and are not ranked." : ""
        guard ranked.count > 1 else {
            return "\(best.policy) is the only policy that meets the SLO, at \(money(dollars: best.cost.value)).\(rest)"
        }
        let saving = ranked[1].cost.value - best.cost.value
        let share = ranked[1].cost.value > 0 ? " (\(percent(saving / ranked[1].cost.value)))" : ""
        return "\(best.policy) is the cheapest that meets the SLO: \(money(dollars: saving))\(share) below "
            + "\(ranked[1].policy), the next.\(rest)"
    }

    private var footnote: String {
        let runs = comparison.replications
        let basis =
            runs > 1
            ? "Means over \(runs) replications, with 95 % intervals; varied: \(comparison.varied)."
            : "One run of each policy: no intervals."
        return basis + " All policies face the same traffic; differences are paired by replication."
    }

    // MARK: Cost against attainment

    private var dots: HTML {
        let rows = comparison.rows
        let costs = rows.flatMap { [$0.cost.ci95?.lower ?? $0.cost.value, $0.cost.ci95?.upper ?? $0.cost.value] }
        let shares = rows.flatMap { [$0.attainment.ci95?.lower ?? $0.attainment.value, $0.attainment.value] }
        guard let low = costs.min(), let high = costs.max(), let worst = shares.min() else { return "" }
        let floor = min(worst, comparison.requiredAttainment) - 0.002
        var chart = Chart(
            "Cost and attainment by policy",
            summary: rows.map {
                "\($0.policy): \(money(dollars: $0.cost.value)), \(attainmentText($0.attainment.value))"
            }
            .joined(separator: "; "),
            x: .linear(from: low * 0.97, to: high * 1.06) { money(dollars: $0) },
            y: .linear(from: max(0, floor), to: 1) { percent($0, 2) },
            xTitle: "cost of the run", yTitle: "requests within SLO", height: 270)
        let level = chart.rule(
            y: comparison.requiredAttainment, "required: \(trimmed(attainmentText(comparison.requiredAttainment)))")
        var labels = LabelPlacement(width: chart.width, height: chart.height)
        for box in level { labels.occupy(box) }
        for row in rows { labels.occupy(x: chart.px(row.cost.value), y: chart.py(row.attainment.value)) }
        for row in rows {
            let share = row.attainment
            chart.cross(
                Chart.Point(x: row.cost.value, y: share.value), x: row.cost.range, y: share.range,
                color: row.meetsSLO ? (row.rank == 1 ? 3 : 1) : 6, filled: row.meetsSLO)
        }
        for row in rows {
            let name = (row.rank.map { "\($0). " } ?? "") + row.policy
            chart.add(labels.place(name, x: chart.px(row.cost.value), y: chart.py(row.attainment.value)))
        }
        let legend = Legend([(3, .dot, "cheapest within SLO"), (1, .dot, "within SLO"), (6, .ring, "misses the SLO")])
        return "\(chart.html)\(legend.html)"
    }

    // MARK: Findings

    /// Which differences are real, a sentence each.
    private var findings: HTML {
        let sentences = DifferenceText.sentences(comparison)
        guard let basis = sentences.last else { return "" }
        return """
            <h3>Which differences are real</h3>
            <ul class="prose">\(sentences.dropLast().map { line -> HTML in "<li>\(line)</li>" })</ul>
            <p class="small">\(basis)</p>
            """
    }

    // MARK: Tables

    private var table: Table {
        var table = Table(
            "Ranked by cost among policies that meet the SLO",
            header: [
                "Policy", "Rank", "Cost", "Against the best", "Over clairvoyant", "Per M output tokens", "Within SLO",
                "TTFT p99",
                "ITL p99",
                "Mean replicas", "Reversals",
            ])
        for row in comparison.rows {
            let name: HTML = row.policy == chosen ? "<strong>\(row.policy)</strong>" : "\(row.policy)"
            let rank: HTML = row.rank.map { "\($0)" } ?? "<span class=\"no\">✘ misses</span>"
            table.add([
                name, rank, stacked(row.cost) { money(dollars: $0) },
                row.costAboveBest.map { stacked($0) { money(dollars: $0) } } ?? "–",
                row.costOverClairvoyant.map { stacked($0) { "\(fixed($0, 2)) ×" } } ?? "–",
                stacked(row.costPerMillionOutputTokens) { money(dollars: $0) },
                stacked(row.attainment) { attainmentText(min(max($0, 0), 1)) },
                stacked(row.ttftP99) { latency(milliseconds: max($0, 0)) },
                stacked(row.itlP99) { latency(milliseconds: max($0, 0)) },
                stacked(row.meanReplicas) { fixed($0, 2) }, stacked(row.reversals) { fixed($0, 1) },
            ])
        }
        return table
    }

    /// What the column over the clairvoyant bound means.
    private var clairvoyant: HTML {
        guard let bound = comparison.clairvoyant else {
            return """
                <p class="small">No clairvoyant bound: by the profile no plan within the pools’ bounds keeps the promise.</p>
                """
        }
        return """
            <p class="small">Hindsight would have paid at least \(money(dollars: bound.cost.value)); the best plan found costs \
            \(money(dollars: bound.planCost.value)). The bound is over plans, not over queues: \
            \(bound.assumptions.joined(separator: "; ")).</p>
            """
    }

    /// A value with its interval below it.
    private func stacked(_ estimate: Estimate, _ text: (Double) -> String) -> HTML {
        guard let bounds = estimate.ci95 else { return "\(text(estimate.value))" }
        return """
            \(text(estimate.value))<span class="under">\(interval(bounds, text))</span>
            """
    }

    private var variants: HTML {
        let factors = comparison.rows.first?.variants.map(\.factor) ?? []
        guard !factors.isEmpty else { return "" }
        var table = Table(
            "If the plant is not what the policies believe",
            header: ["Policy", "Rank as profiled"]
                + factors.flatMap { factor in
                    let name = Self.plant(factor)
                    return ["Rank, \(name)", "Cost, \(name)", "Within SLO, \(name)"]
                })
        for row in comparison.rows {
            var cells = [HTML(escaping: row.policy), HTML(escaping: row.rank.map(String.init) ?? "misses")]
            for variant in row.variants {
                let rank: HTML =
                    variant.rank.map { "\($0)" } ?? "<span class=\"no\">✘ misses</span>"
                cells += [
                    rank, stacked(variant.cost) { money(dollars: $0) },
                    stacked(variant.attainment) { attainmentText(min(max($0, 0), 1)) },
                ]
            }
            table.add(cells)
        }
        return """
            \(table.html)<p class="small">Every policy keeps its own engine profile while the simulated engine is made \
            slower or faster, so no policy wins by knowing the simulator's truth.</p>
            """
    }

    private static func plant(_ factor: Double) -> String {
        let change = trimmed(threeDigits(abs(factor - 1) * 100))
        return factor > 1 ? "\(change) % slower" : factor < 1 ? "\(change) % faster" : "as profiled"
    }
}

extension Estimate {
    /// The interval, or the value alone.
    fileprivate var range: ClosedRange<Double> { ci95.map { $0.lower...$0.upper } ?? value...value }
}
