import Simulation
import Statistics

/// The three numbers by which a run is judged.
public enum HeadlineFigure: String, CaseIterable, Hashable, Sendable {
    case cost
    case ttftP99 = "ttft_p99"
    case attainment

    /// As a heading.
    public var title: String {
        switch self {
        case .cost: "cost"
        case .ttftP99: "TTFT p99"
        case .attainment: "SLO attainment"
        }
    }

    /// Of one run: USD, milliseconds, or a share of requests. A run without a request has a TTFT of 0.
    public func value(of run: RunResult) -> Double {
        switch self {
        case .cost: run.bill.total.dollars
        case .ttftP99: run.ttft.quantile(0.99)?.milliseconds ?? 0
        case .attainment: run.attainment
        }
    }

    /// The figures of one run, in the order of the cases.
    static func all(of run: RunResult) -> [Double] { allCases.map { $0.value(of: run) } }

    public var index: Int { Self.allCases.firstIndex(of: self)! }
}
