import Studies
import Units

/// `sweep.html`: the cheapest point that keeps what was promised, every point in one picture, and a table.
///
/// One file without script or network, the same bytes for the same results.
public struct SweepPage: Sendable {
    public let text: String

    /// Rows of the table; the rest is in `sweep.csv`.
    static let mostRows = 200
    /// Points of the picture, taken at equal distances from more.
    static let mostDots = 2_000

    public init(_ table: SweepTable) {
        let sections = [Self.picture(table), Self.rows(table), Self.provenance(table)]
        let page: HTML = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(ReportPage.securityPolicy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="generator" content="Tidegate \(table.plan.version)">
            <title>Sweep of \(table.plan.scenario.name) · Tidegate</title>
            <style>\(Stylesheet.html)</style></head>
            <body>\(Legend.patterns)
            <header><h1>Sweep of \(table.plan.scenario.name)</h1>
            <div class="verdict"><p class="question">\(Self.verdict(table))</p></div></header>
            <main>
            \(sections.map(\.html))
            </main>
            <footer>Tidegate \(table.plan.version) · plan \(table.planDigest)</footer>
            </body></html>

            """
        text = page.text
    }

    /// The finding in a sentence, for the page and for a terminal.
    public static func verdict(_ table: SweepTable) -> String {
        let gap =
            table.missing.isEmpty
            ? ""
            : " Without \(table.missing.count) of \(table.plan.points.count) points, which have no result:"
                + " \(SweepShard.spelled(table.missing))."
        guard let best = table.cheapest.first, let cost = best["cost.total_usd"] else {
            return "No point meets the SLO under any policy.\(gap)"
        }
        let values = zip(table.plan.fields, best.values).map { "\($0.path) = \($1)" }.joined(separator: ", ")
        let equals = table.cheapest.count { $0["cost.total_usd"]?.estimate.value == cost.estimate.value } - 1
        let others = equals > 0 ? " \(equals) more cost the same." : ""
        let bounds = cost.estimate.ci95.map { " (\(interval($0) { money(dollars: $0) }))" } ?? ""
        return "Point \(best.point) under \(best.policy) is the cheapest that meets the SLO, at "
            + "\(money(dollars: cost.estimate.value))\(bounds): \(values).\(others)\(gap)"
    }

    private static func picture(_ table: SweepTable) -> Panel {
        let pace = max(1, (table.rows.count + mostDots - 1) / mostDots)
        let shown = stride(from: 0, to: table.rows.count, by: pace).map { table.rows[$0] }
        let dots = shown.compactMap { row -> (row: SweepRow, cost: Double, share: Double)? in
            guard let cost = row["cost.total_usd"]?.estimate.value,
                let share = row["slo.attainment"]?.estimate.value
            else { return nil }
            return (row, cost, share)
        }
        var drawing: HTML = "<p>There is no result to show.</p>"
        if let low = dots.map(\.cost).min(), let high = dots.map(\.cost).max(), let worst = dots.map(\.share).min() {
            var chart = Chart(
                "Cost and attainment of every point",
                summary: "\(dots.count) points; costs from \(money(dollars: low)) to \(money(dollars: high))",
                x: .linear(from: low * 0.97, to: high * 1.03) { money(dollars: $0) },
                y: .linear(from: max(0, worst - 0.002), to: 1) { percent($0, 2) },
                xTitle: "cost of the run", yTitle: "requests within SLO", height: 300)
            for dot in dots {
                chart.cross(
                    Chart.Point(x: dot.cost, y: dot.share), x: dot.cost...dot.cost, y: dot.share...dot.share,
                    color: dot.row.meetsSLO ? 1 : 6, filled: dot.row.meetsSLO)
            }
            drawing = "\(chart.html)\(Legend([(1, .dot, "within SLO"), (6, .ring, "misses the SLO")]).html)"
        }
        return Panel(
            id: "points", title: "Cost against attainment",
            lead: "\(table.rows.count(where: \.meetsSLO)) of \(table.rows.count) meet the SLO. "
                + "Each mark is a policy at a point.", body: drawing)
    }

    private static func rows(_ sweep: SweepTable) -> Panel {
        let ordered = sweep.cheapest + sweep.rows.filter { !$0.meetsSLO }
        var table = Table(
            "By cost where the SLO is met, then the others by point",
            header: ["Point", "Policy"] + sweep.plan.fields.map(\.path)
                + ["Cost", "Within SLO", "TTFT p99", "Mean replicas"],
            textColumns: Set(1..<(2 + sweep.plan.fields.count)))
        for row in ordered.prefix(mostRows) {
            func cell(_ path: String, _ text: (Double) -> String) -> HTML {
                guard let estimate = row[path]?.estimate else { return "–" }
                guard let bounds = estimate.ci95 else { return "\(text(estimate.value))" }
                return "\(text(estimate.value))<span class=\"under\">\(interval(bounds, text))</span>"
            }
            let share = cell("slo.attainment") { attainmentText(min(max($0, 0), 1)) }
            table.add(
                ["\(row.point)", "\(row.policy)"] + row.values.map { HTML(escaping: $0) }
                    + [
                        cell("cost.total_usd") { money(dollars: $0) },
                        row.meetsSLO ? share : "<span class=\"no\">✘</span> \(share)",
                        cell("ttft_ms.p99") { latency(milliseconds: max($0, 0)) },
                        cell("replicas.mean") { fixed($0, 2) },
                    ])
        }
        let rest =
            ordered.count > mostRows ? "The first \(mostRows) of \(ordered.count) rows; all are in sweep.csv." : ""
        let basis =
            sweep.plan.replications > 1
            ? "Means over \(sweep.plan.replications) replications, with 95 % intervals; varied: \(sweep.plan.varied)."
            : "One run of each point: no intervals."
        return Panel(id: "table", title: "Points", lead: "\(basis) \(rest)", body: table.html)
    }

    private static func provenance(_ table: SweepTable) -> Panel {
        let plan = table.plan
        let facts: [(name: String, value: String)] =
            [
                ("Scenario", "\(plan.scenario.name), digest \(plan.scenario.digest.prefix(12))"),
                ("Design", "\(plan.design), \(plan.points.count) points"), ("Seed", "\(plan.seed)"),
                ("Replications", "\(plan.replications)"), ("Policies", plan.policies.joined(separator: ", ")),
            ] + plan.fields.map { ($0.path, $0.range) }
        let list = facts.map { fact -> HTML in "<dt>\(fact.name)</dt><dd>\(fact.value)</dd>" }
        let warnings = table.rows.flatMap(\.warnings).reduce(into: [String]()) { known, warning in
            if !known.contains(warning), known.count < 20 { known.append(warning) }
        }
        let told: HTML =
            warnings.isEmpty
            ? ""
            : "<h3>Warnings of these runs</h3><ul class=\"prose\">\(warnings.map { line -> HTML in "<li>\(line)</li>" })</ul>"
        return Panel(
            id: "provenance", title: "Provenance",
            lead: "Every point faces the same draws of the traffic: points differ by what is varied alone.",
            body: "<dl class=\"facts\">\(list)</dl>\(told)")
    }
}
