import FleetModel
import Simulation
import Units

/// Demand against capacity over time, pool by pool: did capacity lead or lag?
struct DemandPanel {
    private let content: ReportContent
    private let time: Scale

    init(_ content: ReportContent) {
        self.content = content
        time = .time(from: content.result.start, lasting: content.result.duration)
    }

    var panel: Panel {
        let pools = content.result.poolTimelines
        return Panel(
            id: "demand", title: "Demand and capacity", lead: lead(pools),
            body: HTML(pools.map { drawings(of: $0.pool, $0.rows, named: pools.count > 1) }))
    }

    private func lead(_ pools: [(pool: PoolID, rows: [TimelineRow])]) -> String {
        let sentences = pools.compactMap { pool, rows -> String? in
            guard let peak = rows.max(by: { $0.requestsPerSecond < $1.requestsPerSecond }),
                let fewest = rows.map(\.ready).min(), let most = rows.map(\.ready).max()
            else { return nil }
            let mean = content.result.pools.first { $0.id == pool }.map {
                ", \(threeDigits($0.meanReplicas)) are paid for on average"
            }
            return "\(pool): demand peaks at \(threeDigits(peak.requestsPerSecond)) requests/s at "
                + "\(peak.time.minuteOfDay) UTC; ready replicas range from \(fewest) to \(most)\(mean ?? "")."
        }
        return sentences.joined(separator: " ")
    }

    private func drawings(of pool: PoolID, _ all: [TimelineRow], named: Bool) -> HTML {
        let rows = all.merged(into: 1000)
        let origin = content.result.start
        let end = rows.last.map { ($0.time + $0.span - origin).seconds } ?? 0
        func points(_ value: (TimelineRow) -> Double) -> [Chart.Point] {
            rows.map { Chart.Point(x: ($0.time - origin).seconds, y: value($0)) }
        }
        let heading: HTML = named ? "<h3>\(pool.name)</h3>" : ""

        let requests = points(\.requestsPerSecond)
        let peak = requests.map(\.y).max() ?? 0
        var demand = Chart(
            "Requests arriving at \(pool)", summary: "Peak \(threeDigits(peak)) requests per second.", x: time,
            y: .linear(upTo: peak), yTitle: "requests/s arriving", height: 130, namesX: false)
        demand.area(requests, to: end, color: 1)
        demand.steps(requests, to: end, color: 1)

        let prompts = points { $0.perSecond($0.promptTokensOffered) }
        // What arrivals will ask for only a simulator knows; what requests got is the live world's.
        let isKnown = !content.isLive
        let outputs = points { $0.perSecond($0.outputTokensOffered ?? $0.outputTokens) }
        let most = (prompts + outputs).map(\.y).max() ?? 0
        var tokens = Chart(
            "Tokens asked of \(pool)", summary: "Peak \(short(most)) tokens per second of one kind.", x: time,
            y: .linear(upTo: most, label: short), yTitle: isKnown ? "tokens/s asked for" : "tokens/s", height: 130,
            namesX: false)
        tokens.steps(prompts, to: end, color: 5)
        tokens.steps(outputs, to: end, color: 6, pattern: .dashed)

        let outputName = isKnown ? "output tokens" : "output tokens, when their requests ended"
        return """
            \(heading)\(demand.html)\(tokens.html)
            \(Legend([(5, .line(.solid), "prompt tokens"), (6, .line(.dashed), outputName)]).html)
            \(capacity(of: pool, rows, points, to: end))
            \(Self.table(all, pool).disclosed("Figures for \(pool)"))
            """
    }

    private func capacity(
        of pool: PoolID, _ rows: [TimelineRow], _ points: ((TimelineRow) -> Double) -> [Chart.Point], to end: Double
    ) -> HTML {
        let ready = points { Double($0.ready) }
        let withStarting = points { Double($0.ready + $0.starting) }
        let all = points { Double($0.ready + $0.starting + $0.draining) }
        let target = points { Double($0.target) }
        let most = (all + target).map(\.y).max() ?? 0
        var chart = Chart(
            "Replicas of \(pool)",
            summary: "Up to \(Int(most)) replicas: ready, starting and draining, with the target.",
            x: time, y: .linear(upTo: most, whole: true), yTitle: "replicas", height: 210)
        let floor = points { _ in 0 }
        chart.band(ready, above: floor, to: end, color: 1)
        chart.band(withStarting, above: ready, to: end, color: 2, hatched: true)
        chart.band(all, above: withStarting, to: end, color: 4, hatched: true)
        chart.target(target, to: end)
        let legend = Legend([
            (1, .fill, "ready"), (2, .hatched, "starting"), (4, .hatched, "draining"), (1, .target, "target"),
        ])
        return "\(chart.html)\(legend.html)"
    }

    private static func table(_ rows: [TimelineRow], _ pool: PoolID) -> Table {
        var table = Table(
            "Demand and capacity of \(pool), by interval",
            header: [
                "From (UTC)", "Span", "Requests/s", "Prompt tokens/s", "Output tokens/s", "Ready", "Starting",
                "Draining",
                "Target",
            ])
        for row in rows.merged(into: 24) {
            table.add([
                row.time.readable, spelled(row.span), threeDigits(row.requestsPerSecond),
                threeDigits(row.perSecond(row.promptTokensOffered)),
                threeDigits(row.perSecond(row.outputTokensOffered ?? row.outputTokens)),
                String(row.ready), String(row.starting), String(row.draining), String(row.target),
            ])
        }
        return table
    }
}
