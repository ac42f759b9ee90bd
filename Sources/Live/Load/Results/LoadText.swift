import Foundation
import Units

/// A load's result as a user reads it on a terminal.
public enum LoadText {
    public static func text(_ summary: LoadSummary, folder: String?) -> String {
        var lines = heading(summary)
        lines += [
            "  rate        " + rates(summary.rate),
            "  tokens      \(summary.tokens.prompt) of prompts, \(summary.tokens.output) of answers, by the server's count;"
                + " asked: \(summary.tokens.promptAsked), \(summary.tokens.outputAsked)",
            "  connections \(summary.connections.most) at most, \(summary.connections.opened) opened",
        ]
        lines += table(summary)
        for slo in summary.slo {
            lines.append(
                "  \(slo.met ? "✔" : "✘") SLO \(slo.name): "
                    + String(format: "%.2f %% of %.2f %%", 100 * (slo.attainment ?? 0), 100 * slo.promised))
        }
        lines += summary.warnings.map { "  note: \($0)" }
        if let folder { lines.append("rows: \(folder)/requests.csv, summary: \(folder)/summary.json") }
        return lines.joined(separator: "\n")
    }

    private static func heading(_ summary: LoadSummary) -> [String] {
        let requests = summary.requests
        var lines = [
            "\(summary.scenario) against \(summary.target), model \(summary.model), \(summary.api), prompts as "
                + "\(summary.prompts), speed \(summary.speed)"
        ]
        if let partial = summary.partial {
            lines.append(
                String(
                    format: "  PARTIAL     stopped after %.1f of %.1f s", partial.stoppedAfterSeconds,
                    partial.plannedSeconds))
        }
        lines.append(
            "  requests    \(requests.offered) due, \(requests.sent) sent, \(requests.completed) completed, "
                + "\(requests.offered - requests.completed) failed")
        let errors = requests.errors.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !errors.isEmpty {
            lines.append("  errors      " + errors.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        }
        return lines
    }

    private static func rates(_ rate: LoadSummary.Rate) -> String {
        String(
            format: "%.1f requests/s due, %.1f sent, %.1f completed; %.0f output tokens/s", rate.offered, rate.sent,
            rate.completed, rate.outputTokens)
    }

    private static func table(_ summary: LoadSummary) -> [String] {
        let rows = [
            ("send delay", summary.sendDelay), ("TTFT", summary.ttft), ("  from send", summary.ttftFromSend),
            ("TPOT", summary.tpot), ("ITL", summary.itl), ("E2E", summary.e2e), ("  from send", summary.e2eFromSend),
        ]
        var lines = ["  ms                p50       p90       p99     p99.9       max"]
        for (name, quantiles) in rows {
            let cells = quantiles.map { [$0.p50, $0.p90, $0.p99, $0.p999, $0.max].map(digits) } ?? ["–"]
            let padded = cells.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }
            lines.append("  " + name.padding(toLength: 11, withPad: " ", startingAt: 0) + padded.joined())
        }
        return lines
    }

    static func seconds(_ span: TimeSpan) -> String { String(format: "%.1f s", span.seconds) }
    static func milliseconds(_ value: Double) -> String { digits(value) + " ms" }

    /// Milliseconds with as many decimals as they deserve.
    private static func digits(_ value: Double) -> String {
        String(format: value < 10 ? "%.3f" : value < 1000 ? "%.1f" : "%.0f", value)
    }
}
