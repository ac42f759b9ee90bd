/// The figures a decision rests on: what `--precision` waits for and what a comparison tells apart.
public enum Headline: String, CaseIterable, Hashable, Sendable, Codable {
    case cost
    case attainment
    case ttftP99 = "ttft_p99"
    case itlP99 = "itl_p99"

    /// As prose names it.
    public var name: String {
        switch self {
        case .cost: "cost"
        case .attainment: "SLO attainment"
        case .ttftP99: "TTFT p99"
        case .itlP99: "ITL p99"
        }
    }

    /// Where a summary holds it, and in which unit: USD, a share, milliseconds.
    public var path: [String] {
        switch self {
        case .cost: ["cost", "total_usd"]
        case .attainment: ["slo", "attainment"]
        case .ttftP99: ["ttft_ms", "p99"]
        case .itlP99: ["itl_ms", "p99"]
        }
    }
}
