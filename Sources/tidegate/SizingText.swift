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
                "  cost         \(money(answer.cost)) a run, over the \(rule.draws) draws of the search",
                "  probability  \(probability(answer.probability)) to meet every SLO on a draw",
            ]
            if let fresh = answer.freshCost {
                lines.insert("               \(money(fresh)) a run on fresh draws", at: 2)
            }
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

    /// Rows of candidates that were not played, of a table on a terminal.
    private static let notPlayed = 20

    private var table: [String] {
        var left = Self.notPlayed
        let rows = result.rows.filter { row in
            if row.verdict == .notPlayed { left -= 1 }
            return row.verdict != .notPlayed || left >= 0
        }
        let width = max(9, rows.map(\.name.count).max() ?? 0)
        var lines = [
            "Costs are means over the draws that a candidate played, the first ones of the search: 'missed' says how many.",
            "Those of different numbers of draws are not alike; 'why' compares on the draws that two share.",
            "", "candidate".filled(to: width) + "          cost  missed   why",
        ]
        for row in rows {
            let mark = row.verdict == .answer ? "✔" : row.verdict == .misses || row.verdict == .contradicted ? "✘" : " "
            let cost = row.cost.map { ResultText.money($0.value) } ?? "–"
            let missed = row.draws == 0 ? "–" : "\(row.misses)/\(row.draws)"
            lines.append(
                row.name.filled(to: width) + "  " + cost.filledLeft(to: 12) + missed.filledLeft(to: 8) + " \(mark) "
                    + row.reason)
        }
        return lines
    }

    private var foot: [String] {
        let hidden = max(0, result.rows.count { $0.verdict == .notPlayed } - Self.notPlayed)
        var notes: [String] = []
        if hidden > 0 { notes.append("\(hidden) more were not played; candidates.csv lists them with the reason.") }
        if result.unfilled > 0 {
            notes.append(
                "\(result.unfilled) fixed fleets that leave part of a machine empty are not looked at: one more replica "
                    + "costs nothing.")
        }
        if result.unlisted > 0 {
            notes.append(
                "\(result.unlisted) more fixed fleets were not played, and are too many to list: a larger one misses "
                    + "already, or they cost more than what was found.")
        }
        let played = String(format: "%.1f %%", 100 * Double(result.runs) / Double(max(1, result.exhaustiveRuns)))
        return notes + [
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
