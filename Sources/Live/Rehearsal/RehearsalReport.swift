import Foundation
import Units

/// What a rehearsal prints with `--json` and keeps as `rehearsal.json`. Latencies are in seconds.
public struct RehearsalReport: Encodable, Sendable {
    public struct Side: Encodable, Sendable {
        public var figures: [String: Double]
        public var resizes: [RehearsalResize]
        public var coldStartsSeconds: [Double]

        enum CodingKeys: String, CodingKey {
            case figures, resizes
            case coldStartsSeconds = "cold_starts_seconds"
        }
    }

    public struct Verdicts: Encodable, Sendable {
        /// With the live resizes, the simulated fleet serves as the real one did.
        public var plant: Bool
        /// Left to itself, the simulated controller made the same resizes.
        public var control: Bool
        /// Figures that differ by more than the plant's verdict allows.
        public var exceeded: [String]
    }

    public var scenario: String
    public var policy: String
    public var policyDigest: String
    public var seconds: Double
    public var live: Side
    public var simulated: Side
    /// The simulation with the live run's resizes.
    public var replayed: Side
    /// 100 × (simulated − live) / live, of the simulation left to itself.
    public var differencePercent: [String: Double]
    /// The same of the one with the live run's resizes.
    public var plantDifferencePercent: [String: Double]
    public var verdicts: Verdicts

    enum CodingKeys: String, CodingKey {
        case scenario, policy, seconds, live, simulated, replayed, verdicts
        case policyDigest = "policy_digest"
        case differencePercent = "difference_percent"
        case plantDifferencePercent = "plant_difference_percent"
    }

    public init(_ rehearsal: Rehearsal, scenario: String, policy: String, policyDigest: String, duration: TimeSpan) {
        self.scenario = scenario
        self.policy = policy
        self.policyDigest = policyDigest
        seconds = duration.seconds
        let own = rehearsal.figures(against: rehearsal.simulated)
        let plant = rehearsal.figures(against: rehearsal.replayed)
        live = Side(rehearsal.live, own.map { ($0.name, $0.live) })
        simulated = Side(rehearsal.simulated, own.map { ($0.name, $0.simulated) })
        replayed = Side(rehearsal.replayed, plant.map { ($0.name, $0.simulated) })
        differencePercent = Self.percent(own)
        plantDifferencePercent = Self.percent(plant)
        verdicts = Verdicts(
            plant: rehearsal.isPlantEqual, control: rehearsal.isControlEqual,
            exceeded: plant.filter { !$0.isWithin }.map(\.name))
    }

    private static func percent(_ figures: [Rehearsal.Figure]) -> [String: Double] {
        var values: [String: Double] = [:]
        for figure in figures { values[figure.name] = figure.difference.map { 100 * $0 } }
        return values
    }
}

extension RehearsalReport.Side {
    init(_ side: RehearsalSide, _ figures: [(String, Double)]) {
        self.init(
            figures: Dictionary(figures) { first, _ in first }, resizes: side.resizes,
            coldStartsSeconds: side.coldStarts.map(\.seconds))
    }
}

/// A rehearsal as a user reads it on a terminal: both columns and their difference, then the resizes, then the verdicts.
public enum RehearsalText {
    public static func text(_ rehearsal: Rehearsal, _ report: RehearsalReport) -> String {
        var lines = [
            "\(report.scenario), policy \(report.policy), \(String(format: "%.0f s", report.seconds)) in both worlds",
            "",
            row("", "live", "simulated", "difference", "with live resizes"),
        ]
        let own = rehearsal.figures(against: rehearsal.simulated)
        let plant = rehearsal.figures(against: rehearsal.replayed)
        for (own, plant) in zip(own, plant) {
            lines.append(
                row(
                    own.name, number(own.name, own.live), number(own.name, own.simulated), percent(own.difference),
                    percent(plant.difference) + (plant.isWithin ? "" : " ✘")))
        }
        lines += ["", "resizes, live then simulated:"]
        if rehearsal.resizes.isEmpty { lines.append("  none") }
        for (live, simulated) in rehearsal.resizes {
            for index in 0..<max(live.count, simulated.count) {
                lines.append("  " + pad(resize(live, index), 34) + resize(simulated, index))
            }
        }
        if let slowest = rehearsal.live.coldStarts.max(), let fastest = rehearsal.live.coldStarts.min() {
            lines.append(
                String(
                    format: "cold starts: %d live, %.2f to %.2f s", rehearsal.live.coldStarts.count, fastest.seconds,
                    slowest.seconds))
        }
        lines += [
            "",
            verdict(rehearsal.isPlantEqual, "plant", "the simulated fleet serves as the real one, given its levels"),
        ]
        lines.append(
            verdict(rehearsal.isControlEqual, "control", "the simulated controller resizes as the real one did"))
        return lines.joined(separator: "\n")
    }

    private static func row(_ name: String, _ cells: String...) -> String {
        pad(name, 15) + cells.map { String(repeating: " ", count: max(1, 20 - $0.count)) + $0 }.joined()
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func number(_ name: String, _ value: Double) -> String {
        if name == "cost" { return String(format: "%.4f USD", value) }
        let isTime = ["ttft", "itl", "e2e"].contains { name.hasPrefix($0) }
        return isTime ? String(format: "%.2f ms", 1000 * value) : String(format: "%.0f", value)
    }

    private static func percent(_ difference: Double?) -> String {
        difference.map { String(format: "%+.2f %%", 100 * $0) } ?? "-"
    }

    private static func resize(_ resizes: [RehearsalResize], _ index: Int) -> String {
        guard index < resizes.count else { return "-" }
        let resize = resizes[index]
        return String(format: "%.0f s ", resize.after.seconds) + "\(resize.pool) \(resize.from) → \(resize.to)"
    }

    private static func verdict(_ holds: Bool, _ name: String, _ text: String) -> String {
        holds ? "✔ \(name): \(text)" : "✘ \(name): NOT so: \(text)"
    }
}
