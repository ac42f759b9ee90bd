import FleetModel
import Simulation
import Units

/// What the policy decided, why, and what it chose against.
struct DecisionPanel {
    /// The most decisions listed, and how many of them in sight; the page says how many there were.
    private static let listed = 60
    private static let inSight = 12
    /// The most marks drawn.
    private static let drawn = 2000

    private let content: ReportContent
    private var result: RunResult { content.result }

    init(_ content: ReportContent) { self.content = content }

    var panel: Panel {
        Panel(
            id: "decisions", title: "Decisions", lead: lead,
            body: result.decisions.isEmpty ? "" : "\(lanes)\(list)")
    }

    private var lead: String {
        let counts = result.scaling
        let flapping = counts.reversals == 1 ? "1 reversal" : "\(grouped(counts.reversals)) reversals"
        return "\(grouped(counts.decisions)) control ticks changed a target \(grouped(counts.changes)) times, with "
            + "\(flapping) within 30 minutes; guards altered \(counts.guarded == 0 ? "none" : grouped(counts.guarded))."
    }

    /// A lane for each pool: a mark up for more replicas, down for fewer.
    private var lanes: HTML {
        let pools = result.pools.map(\.id)
        let scale = Scale.time(from: result.start, lasting: result.duration)
        let height = 34.0
        let floor = Double(pools.count) * height
        func x(_ time: Instant) -> Double { 120 + scale.fraction((time - result.start).seconds) * 766 }
        let ticks = scale.ticks.map { tick -> HTML in
            let at = 120 + scale.fraction(tick.value) * 766
            return """
                <line class="grid" x1="\(at)" x2="\(at)" y1="0" y2="\(floor + 4)"/>\
                <text class="tick \(at > 870 ? "end" : "mid")" x="\(at)" y="\(floor + 18)">\(tick.label)</text>
                """
        }
        let names = pools.enumerated().map { index, pool -> HTML in
            "<text class=\"name\" x=\"0\" y=\"\(Double(index) * height + 22)\">\(pool.name)</text>"
        }
        let marks = result.decisions.filter { $0.applied != $0.from }.prefix(Self.drawn).map { entry -> HTML in
            let middle = Double(pools.firstIndex(of: entry.pool) ?? 0) * height + 17
            let at = x(entry.time)
            let up = entry.applied > entry.from
            let (base, tip) = up ? (middle - 2, middle - 13) : (middle + 2, middle + 13)
            return """
                <path class="fill c\(up ? 2 : 1)" d="M\(at - 4) \(base)L\(at + 4) \(base)L\(at) \(tip)Z"/>
                """
        }
        return """
            <div class="scroll"><svg class="wide" viewBox="0 0 900 \(floor + 24)" role="img">\
            <title>Changes of target over time</title><desc>\(marks.count) changes; upward marks add replicas, downward marks take them away.</desc>
            \(ticks)\(names)\(marks)</svg></div>
            <ul class="legend"><li>▲ more replicas</li><li>▼ fewer replicas</li></ul>
            """
    }

    private var list: HTML {
        let total = Int(result.scaling.noted)
        let listed = result.decisions.prefix(Self.listed)
        let first = table(
            total <= Self.inSight
                ? "All decisions that changed a target or met a guard"
                : "The first \(Self.inSight) of \(grouped(Int64(total))) that changed a target or met a guard",
            listed.prefix(Self.inSight))
        guard listed.count > Self.inSight else { return first.html }
        let range = "Decisions \(Self.inSight + 1) to \(listed.count) of \(grouped(Int64(total)))"
        return "\(first.html)\(table(range, listed.dropFirst(Self.inSight)).disclosed(range))"
    }

    private func table(_ caption: String, _ entries: ArraySlice<DecisionEntry>) -> Table {
        var table = Table(
            caption, header: ["Time (UTC)", "Pool", "Target", "Why", "Chosen against"], textColumns: [0, 1, 3, 4])
        for entry in entries {
            let wanted = entry.wanted == entry.applied ? "" : " (wanted \(entry.wanted))"
            table.add([
                HTML(escaping: entry.time.readable), HTML(escaping: entry.pool.name),
                HTML(escaping: "\(entry.from) → \(entry.applied)\(wanted)"), Self.reasons(entry),
                Self.alternatives(entry.rejected),
            ])
        }
        return table.wrapping([3, 4])
    }

    private static func reasons(_ entry: DecisionEntry) -> HTML {
        let guards = entry.guardReasons.map { reason -> HTML in "<span class=\"under\">guard: \(reason)</span>" }
        return "\(entry.reason)\(guards)"
    }

    private static func alternatives(_ rejected: [Alternative]) -> HTML {
        guard !rejected.isEmpty else { return "<span class=\"faint\">–</span>" }
        let shown = rejected.prefix(3).map { each -> HTML in
            let cost = each.costPerHour.map { ", \(money($0))/h" } ?? ""
            return "<span class=\"under\">\(each.replicas) replicas\(cost): \(each.risk)</span>"
        }
        let more: HTML = rejected.count > 3 ? "<span class=\"under\">and \(rejected.count - 3) more</span>" : ""
        return "\(shown)\(more)"
    }
}
