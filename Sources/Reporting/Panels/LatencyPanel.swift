import FleetModel
import Simulation
import Statistics
import Studies
import Units

#if canImport(Glibc)
    import Glibc
#endif

/// How latency is distributed, and whether it keeps the promises made.
struct LatencyPanel {
    private let content: ReportContent
    private var result: RunResult { content.result }

    init(_ content: ReportContent) { self.content = content }

    var panel: Panel {
        let classes = result.sloClasses.map(\.sloClass)
        let ttft = classes.compactMap { each in each.ttft.map { ("\(each.name): \(spelled($0))", $0) } }
        let tpot = classes.compactMap { each in each.tpot.map { ("\(each.name): TPOT \(spelled($0))", $0) } }
        return Panel(
            id: "latency", title: "Latency", lead: lead,
            body: """
                <div class="pair"><div>\(distribution("time to first token", [ttftCurve], targets: ttft))</div>\
                <div>\(distribution("time between tokens", tokenCurves, targets: tpot))</div></div>
                <p class="small">That share of requests (or gaps) is at most as slow as the curve; from 90 on, each step \
                to the right is ten times rarer. Short dashes: the target of a class.</p>
                \(classTable.html)
                \(quantileTable.html)
                """)
    }

    private var lead: String {
        guard let median = result.ttft.quantile(0.5), let tail = result.ttft.quantile(0.99) else {
            return "No request produced a token\(result.record == nil ? "" : " whose time is known")."
        }
        let gap = result.itl.quantile(0.5).map { "; half of all gaps between tokens are within \(latency($0))" } ?? ""
        return "Half of the first tokens come within \(latency(median)), 99 % within \(latency(tail))\(gap)."
    }

    /// A measured distribution as a curve of a drawing.
    private struct Curve {
        var name: String
        var histogram: LatencyHistogram
        var color: Int
        var pattern: Chart.Pattern
    }

    private var ttftCurve: Curve { Curve(name: "TTFT", histogram: result.ttft, color: 1, pattern: .solid) }

    /// A target on TPOT is kept by a request's mean, not by every gap, so both are drawn.
    private var tokenCurves: [Curve] {
        [
            Curve(name: "each gap (ITL)", histogram: result.itl, color: 3, pattern: .solid),
            Curve(name: "mean of a request (TPOT)", histogram: result.tpot, color: 2, pattern: .dashed),
        ]
    }

    private func distribution(_ name: String, _ curves: [Curve], targets: [(String, TimeSpan)]) -> HTML {
        let measured = curves.filter { $0.histogram.count > 0 }
        let drawn = measured.map { (curve: $0, points: Self.points(of: $0.histogram)) }
        let heights = drawn.flatMap { $0.points.map(\.y) }
        guard let low = heights.filter({ $0 > 0 }).min(), let high = heights.max(),
            let last = drawn.compactMap(\.points.last?.x).max()
        else { return "<h3>\(name)</h3><p class=\"small\">Nothing was measured.</p>" }
        let summary = measured.map { each in
            "\(each.name): median \(latency(each.histogram.quantile(0.5))), 99th percentile "
                + "\(latency(each.histogram.quantile(0.99))), at most \(latency(each.histogram.maximum))."
        }
        var chart = Chart(
            name, summary: summary.joined(separator: " "), x: .tail(upTo: last),
            y: .logarithmic(from: low, to: max(high, targets.map(\.1.milliseconds).max() ?? 0)) {
                latency(milliseconds: $0)
            },
            xTitle: "percentile", yTitle: name, width: 470, height: 280)
        for (curve, points) in drawn { chart.line(points, color: curve.color, pattern: curve.pattern) }
        for (label, target) in targets {
            chart.rule(y: target.milliseconds, label, avoiding: drawn.map(\.points))
        }
        let legend = Legend(drawn.map(\.curve).map { ($0.color, .line($0.pattern), $0.name) })
        return "\(chart.html)\(legend.html)"
    }

    /// Quantiles in milliseconds, evenly spaced along the tail axis.
    private static func points(of histogram: LatencyHistogram) -> [Chart.Point] {
        // Beyond one in `count` there is nothing to see.
        let last = min(0.9999, max(0.9, 1 - 1 / Double(histogram.count)))
        let nines = -log10(1 - last)
        return (0...160).map { step in
            let share = min(last, 1 - pow(10, -nines * Double(step) / 160))
            return Chart.Point(x: share, y: histogram.quantile(share)?.milliseconds ?? 0)
        }
    }

    private var classTable: Table {
        var table = Table(
            "Promises by SLO class",
            header: [
                "Class", "Targets", "Requests", "TTFT p99", "TPOT p99", "Within all targets", "Required", "Verdict",
            ],
            textColumns: [0, 1])
        for each in result.sloClasses {
            let slo = each.sloClass
            let targets = [("TTFT", slo.ttft), ("TPOT", slo.tpot), ("E2E", slo.e2e)]
                .compactMap { name, limit in limit.map { "\(name) ≤ \(spelled($0))" } }
            let verdict: HTML =
                each.arrived == 0
                ? "<span class=\"faint\">no requests</span>"
                : each.isMet ? "<span class=\"yes\">✔ met</span>" : "<span class=\"no\">✘ missed</span>"
            let texts = [
                slo.name, targets.isEmpty ? "none" : targets.joined(separator: ", "), grouped(each.arrived),
                latency(each.ttft.quantile(0.99)), latency(each.tpot.quantile(0.99)),
                each.arrived > 0 ? attainmentText(each.attainment) : "–",
                trimmed(attainmentText(slo.attainment)),
            ]
            table.add(texts.map(HTML.init(escaping:)) + [verdict])
        }
        return table
    }

    private var quantileTable: Table {
        var table = Table(
            "Latency over all requests"
                + (content.estimates.map { ", with 95 % intervals over \($0.replications) runs" } ?? ""),
            header: ["Measure", "Mean", "p50", "p90", "p99", "p99.9", "Longest", "Count"])
        for (name, key, histogram) in [
            ("TTFT", "ttft_ms", result.ttft), ("ITL", "itl_ms", result.itl), ("TPOT", "tpot_ms", result.tpot),
            ("E2E", "e2e_ms", result.e2e), ("Wait for a batch", "queue_wait_ms", result.queueWait),
        ] {
            let summary =
                [("mean", histogram.mean)]
                + [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)].map { ($0.0, histogram.quantile($0.1)) }
            let cells = summary.map { quantile, span -> HTML in
                let bounds = content.estimates?.entries.first { $0.path == [key, quantile] }?.estimate.ci95
                let under: HTML =
                    bounds.map { ends in
                        "<span class=\"under\">\(interval(ends) { latency(milliseconds: max(0, $0)) })</span>"
                    } ?? ""
                return "\(latency(span))\(under)"
            }
            let isUnknown = histogram.count == 0 && result.record != nil
            let rest = [
                latency(histogram.quantile(0.999)), latency(histogram.maximum),
                isUnknown ? "not measured" : grouped(Int64(histogram.count)),
            ]
            table.add([HTML(escaping: name)] + cells + rest.map(HTML.init(escaping:)))
        }
        return table
    }
}
