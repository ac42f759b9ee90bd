import Formats
import Simulation
import Studies

/// `candidates.csv` of `size`: what was tried, what it costs, and why it lost.
public struct SizingTable: Sendable {
    public let text: String

    public init(_ result: SizingResult, of scenario: Scenario) {
        let classes = scenario.sloClasses.map(\.name)
        var csv = CSVWriter(
            columns: ["candidate", "verdict", "draws", "missed_draws", "cost_usd", "cost_lower_usd", "cost_upper_usd"]
                + classes.map { "attainment_\($0)" } + ["reason"])
        for row in result.rows {
            let attainments = classes.indices.map { index in
                row.attainments.isEmpty ? "" : "\(row.attainments[index])"
            }
            csv.row(
                [
                    row.name, row.verdict.rawValue, "\(row.draws)", "\(row.misses)", "\(row.cost.value)",
                    row.cost.ci95.map { "\($0.lower)" } ?? "", row.cost.ci95.map { "\($0.upper)" } ?? "",
                ] + attainments + [row.reason])
        }
        text = csv.text
    }
}
