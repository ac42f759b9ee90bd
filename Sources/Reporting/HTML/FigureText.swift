import Studies

extension HeadlineFigure {
    /// A value of the figure as a page shows it.
    public func text(_ value: Double) -> String {
        switch self {
        case .cost: money(dollars: value)
        case .ttftP99: value < 0 ? "−" + latency(milliseconds: -value) : latency(milliseconds: value)
        case .attainment: percent(value, 2)
        }
    }

    /// A difference, with its sign; of an attainment in points.
    public func changeText(_ change: Double) -> String {
        guard change != 0 else { return "0" }
        let size = self == .attainment ? fixed(abs(change) * 100, 2) + " points" : text(abs(change))
        return (change < 0 ? "−" : change > 0 ? "+" : "") + size
    }
}
