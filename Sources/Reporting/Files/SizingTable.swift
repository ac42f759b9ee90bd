import Formats
import Simulation
import Studies

/// `candidates.csv` of `size`: what was tried, what it costs, and why it lost.
///
/// `cost_of` says what a cost is the mean of: candidates play draws of the search in the same order, but not equally many.
public struct SizingTable: Sendable {
    public let text: String

    public init(_ result: SizingResult, of scenario: Scenario) {
        let classes = scenario.sloClasses.map(\.name)
        var csv = CSVWriter(
            columns: [
                "candidate", "verdict", "draws", "missed_draws", "cost_usd", "cost_lower_usd", "cost_upper_usd",
                "cost_of",
            ]
                + classes.map { "attainment_\($0)" } + ["reason"])
        for row in result.rows {
            let attainments = classes.indices.map { index in
                row.attainments.isEmpty ? "" : "\(row.attainments[index])"
            }
            csv.row(
                [
                    row.name, row.verdict.rawValue, "\(row.draws)", "\(row.misses)",
                    row.cost.map { "\($0.value)" } ?? "",
                    row.cost?.ci95.map { "\($0.lower)" } ?? "", row.cost?.ci95.map { "\($0.upper)" } ?? "",
                    row.costBasis,
                ] + attainments + [row.reason])
        }
        text = csv.text
    }
}

extension SizingRow {
    /// What the cost is of, in words.
    public var costBasis: String {
        switch draws {
        case 0: cost == nil ? "" : "prices alone"
        case 1: "search draw 1"
        default: "search draws 1 to \(draws)"
        }
    }
}
