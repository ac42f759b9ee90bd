import Foundation
import Reporting
import Simulation
import Statistics
import Studies
import Units

/// Results as a terminal shows them.
enum ResultText {
    /// One screen on the run whose files were written.
    static func replay(_ content: ReportContent, folder: String, wallSeconds: Double) -> String {
        let result = content.result
        func milliseconds(_ value: Double?) -> String { value.map { String(format: "%.0f ms", $0) } ?? "none" }
        var lines = [
            "\(result.scenario) with \(result.policy), seed \(result.seed)",
            "  requests    \(result.outcomes.arrived) arrived, \(result.outcomes.completed) completed, "
                + "\(result.outcomes.rejected) rejected, \(result.outcomes.failed) failed",
            "  TTFT        p50 \(milliseconds(result.ttft.quantile(0.5)?.milliseconds)), "
                + "p99 \(milliseconds(result.ttft.quantile(0.99)?.milliseconds))",
            "  ITL         p50 \(milliseconds(result.itl.quantile(0.5)?.milliseconds)), "
                + "p99 \(milliseconds(result.itl.quantile(0.99)?.milliseconds))",
            "  replicas    " + String(format: "%.2f", result.pools.reduce(0) { $0 + $1.meanReplicas }) + " in the mean",
        ]
        if let partial = content.partial { lines.insert("  PARTIAL     \(partial.text)", at: 1) }
        lines += verdicts(content) + cost(result)
        lines.append(String(format: "report: %@/report.html   (%.1f s)", folder as NSString, wallSeconds))
        return lines.joined(separator: "\n")
    }

    /// One screen on a live period.
    static func live(_ content: ReportContent, folder: String) -> String {
        let result = content.result
        func milliseconds(_ value: Double?) -> String { value.map { String(format: "%.0f ms", $0) } ?? "not measured" }
        func quantiles(_ histogram: LatencyHistogram) -> String {
            "p50 \(milliseconds(histogram.quantile(0.5)?.milliseconds)), p99 "
                + milliseconds(histogram.quantile(0.99)?.milliseconds)
        }
        let end = result.start + result.duration
        let counts = result.outcomes
        let replicas = result.pools.reduce(0.0) { $0 + $1.meanReplicas }
        var lines: [String] = []
        lines.append("\(result.scenario) with \(result.policy), live from \(result.start) to \(end)")
        lines.append("  requests    \(counts.arrived) arrived, \(counts.completed) completed, \(counts.failed) failed")
        lines.append("  TTFT        \(quantiles(result.ttft))")
        lines.append("  E2E         \(quantiles(result.e2e))")
        lines.append(String(format: "  replicas    %.2f in the mean", replicas))
        lines += verdicts(content)
        lines += cost(result)
        let shares = zip(result.bill.tenants, result.bill.split.tenants).map { "\($1) \($0.name)" }
        let parts = (shares + ["\(result.bill.overhead) overhead"]).joined(separator: " + ")
        lines.append("  bill        \(result.bill.total) USD = \(parts)")
        lines.append("report: \(folder)/report.html")
        return lines.joined(separator: "\n")
    }

    /// Promises, intervals and warnings.
    private static func verdicts(_ content: ReportContent) -> [String] {
        var lines = content.result.sloClasses.map { entry -> String in
            let shares = String(format: "%.2f %% of %.2f %%", 100 * entry.attainment, 100 * entry.sloClass.attainment)
            return "  \(entry.isMet ? "✔" : "✘") SLO \(entry.sloClass.name): \(shares)"
        }
        for line in UncertaintyText.lines(content) { lines.append("  \(line)") }
        for warning in content.result.warnings { lines.append("  note: \(warning)") }
        return lines
    }

    private static func cost(_ result: RunResult) -> [String] {
        let total =
            "  cost        \(money(result.bill.total.dollars)), of which overhead \(money(result.bill.overhead.dollars))"
        guard let price = result.bill.total.per(result.outputTokens, scale: 1_000_000) else { return [total] }
        return [total, "              \(money(price.dollars)) per million output tokens"]
    }

    /// The ranking, and how it fares on other plants.
    static func comparison(_ comparison: Comparison) -> String {
        let width = max(6, comparison.rows.map(\.policy.count).max() ?? 0)
        let plants = comparison.rows.first?.variants.map(\.factor) ?? []
        var lines = [
            "rank  " + "policy".padded(to: width) + "        cost     SLO met  TTFT p99  replicas"
                + plants.map { String(format: "   at %+.0f %% step time", 100 * ($0 - 1)) }.joined()
        ]
        for row in comparison.rows {
            var line = (row.rank.map(String.init) ?? "–").padded(to: 6) + row.policy.padded(to: width)
            line += money(row.cost.value).leftPadded(to: 12)
            line += String(format: "%10.2f %%", 100 * row.attainment.value)
            line += String(format: "%7.2f s", row.ttftP99.value / 1000)
            line += String(format: "%10.2f", row.meanReplicas.value)
            for variant in row.variants {
                let place = variant.rank.map { "rank \($0)" } ?? "misses"
                line += "   \(place) \(money(variant.cost.value))".leftPadded(to: 23)
            }
            lines.append(line)
            if let interval = row.cost.ci95 {
                lines.append(
                    String(repeating: " ", count: 6)
                        + "  95 %: \(money(interval.lower)) to \(money(interval.upper)); varied: \(comparison.varied)")
            }
        }
        if !comparison.rows.contains(where: \.meetsSLO) { lines.append("No policy meets the SLO, so none is ranked.") }
        lines += clairvoyant(comparison)
        lines += DifferenceText.sentences(comparison)
        return lines.joined(separator: "\n")
    }

    /// Each policy's cost over the clairvoyant bound.
    private static func clairvoyant(_ comparison: Comparison) -> [String] {
        guard let bound = comparison.clairvoyant else {
            return [
                "clairvoyant bound: none, because by the profile no plan within the pools' bounds keeps the promise, or a "
                    + "pool caches prefixes, which the profile does not know of"
            ]
        }
        let ratios = comparison.rows.compactMap { row in
            row.costOverClairvoyant.map { "\(row.policy) \(String(format: "%.2f", $0.value))" }
        }
        return [
            "clairvoyant bound \(money(bound.cost.value)) (best plan found \(money(bound.planCost.value))); "
                + "cost over it: \(ratios.joined(separator: ", "))"
        ]
    }

    static func tuning(_ tuning: TuningOutcome) -> String {
        let trials = tuning.trials.map { trial in
            "\(trial.candidate)\(trial.meetsSLO ? "" : " (misses the SLO)") \(money(trial.cost))"
        }
        return "\(tuning.policy): \(tuning.parameter) \(tuning.chosen) chosen on seed \(tuning.seed) among "
            + trials.joined(separator: ", ")
    }

    /// How much of the time to simulate is done, in the largest unit that shows it moving.
    static func simulated(_ seconds: Double, of planned: Double) -> String {
        let (unit, name) =
            planned >= 2 * 86_400 ? (86_400.0, "days") : planned >= 7_200 ? (3_600.0, "h") : (60.0, "min")
        return String(format: "%.1f of %.1f %@ simulated", seconds / unit, planned / unit, name as NSString)
    }

    /// A whole number with thousands marks.
    static func grouped(_ number: Int) -> String { String(money(Double(number)).dropFirst().dropLast(3)) }

    /// Dollars with cents and thousands marks.
    static func money(_ dollars: Double) -> String {
        let cents = String(format: "%.2f", dollars.magnitude)
        var whole = Substring(cents.dropLast(3))
        var groups: [Substring] = []
        while whole.count > 3 {
            groups.insert(whole.suffix(3), at: 0)
            whole = whole.dropLast(3)
        }
        groups.insert(whole, at: 0)
        return (dollars < 0 ? "-$" : "$") + groups.joined(separator: ",") + cents.suffix(3)
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(1, width - count)) + self
    }
}
