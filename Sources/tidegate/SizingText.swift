import Foundation
import Studies

/// The result of `size` as a terminal shows it.
struct SizingText {
    let result: SizingResult

    init(_ result: SizingResult) { self.result = result }

    var text: String { (head + table + foot).joined(separator: "\n") + "\n" }

    private var head: [String] {
        let rule = result.rule
        let promise = "every SLO on \(share(1 - rule.risk)) of draws (\(rule.draws) played, seed \(result.seed))"
        if let answer = result.answer {
            var lines = [
                "\(result.scenario): \(answer.name) is the cheapest that meets \(promise)",
                "  cost         \(money(answer.cost)) a run",
                "  probability  \(probability(answer.probability)) to meet every SLO on a draw",
            ]
            if let fresh = answer.freshProbability {
                lines.append("               \(probability(fresh)) on fresh draws, which had no part in the choice")
            }
            return lines + ["  varied       \(result.varied)", ""]
        }
        var lines = ["\(result.scenario): nothing meets \(promise)"]
        if let nearest = result.nearest {
            lines.append(
                "  nearest      \(nearest.name), misses on \(nearest.misses) of \(nearest.draws) draws, "
                    + money(nearest.cost))
            lines += nearest.limits.map { "  limit        \($0)" }
        }
        return lines + [""]
    }

    private var table: [String] {
        let width = max(9, result.rows.map(\.name.count).max() ?? 0)
        var lines = ["candidate".filled(to: width) + "          cost  missed   why"]
        for row in result.rows {
            let mark = row.verdict == .answer ? "✔" : row.verdict == .misses || row.verdict == .contradicted ? "✘" : " "
            let cost = ResultText.money(row.cost.value)
            let missed = row.draws == 0 ? "–" : "\(row.misses)/\(row.draws)"
            lines.append(
                row.name.filled(to: width) + "  " + cost.filledLeft(to: 12) + missed.filledLeft(to: 8) + " \(mark) "
                    + row.reason)
        }
        return lines
    }

    private var foot: [String] {
        let played = String(format: "%.1f %%", 100 * Double(result.runs) / Double(max(1, result.exhaustiveRuns)))
        return [
            "",
            "\(result.runs) runs; all \(result.candidates) candidates on all draws would take "
                + "\(result.exhaustiveRuns) (\(played)).",
        ]
    }

    private func money(_ cost: Estimate) -> String {
        guard let interval = cost.ci95, interval.lower < interval.upper else { return ResultText.money(cost.value) }
        return "\(ResultText.money(cost.value)) (95 %: \(ResultText.money(interval.lower)) to "
            + "\(ResultText.money(interval.upper)))"
    }

    private func probability(_ estimate: Estimate) -> String {
        guard let interval = estimate.ci95 else { return share(estimate.value) }
        return "\(share(estimate.value)) (95 %, exact binomial: \(share(interval.lower)) to \(share(interval.upper)))"
    }

    private func share(_ value: Double) -> String { String(format: "%.1f %%", 100 * value) }
}

extension String {
    fileprivate func filled(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
    fileprivate func filledLeft(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
