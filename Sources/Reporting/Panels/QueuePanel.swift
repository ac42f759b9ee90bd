import FleetModel
import Simulation
import Units

/// Why the tail is as it is: queues, first-token times and load over time, and what a cold start consists of.
struct QueuePanel {
    private let content: ReportContent
    private let time: Scale

    init(_ content: ReportContent) {
        self.content = content
        time = .time(from: content.result.start, lasting: content.result.duration)
    }

    var panel: Panel {
        let pools = content.result.poolTimelines
        let drawings = pools.map { pool, rows -> HTML in
            let heading: HTML = pools.count > 1 ? "<h3>\(pool.name)</h3>" : ""
            return heading + drawing(of: pool, rows)
        }
        return Panel(
            id: "queues", title: "Queues and cold starts", lead: lead,
            body:
                "\(drawings)<h3>A cold start, stage by stage\(content.isLive ? ", as the scenario expects it" : "")</h3>"
                + "\(coldStarts)")
    }

    private var lead: String {
        let depths = content.result.timeline.compactMap { row in row.queueDepth.map { (depth: $0, time: row.time) } }
        guard let deepest = depths.max(by: { $0.depth < $1.depth }) else { return "No queue was observed." + cached }
        let queue =
            deepest.depth > 0
            ? "The longest queue was \(grouped(Int64(deepest.depth))) requests at \(deepest.time.minuteOfDay) UTC."
            : "No request was waiting at the end of any interval."
        return queue + preempted + cached
    }

    /// Nothing where nobody counted.
    private var preempted: String {
        guard let preempted = content.result.preemptions else { return "" }
        return preempted > 0
            ? " \(grouped(preempted)) sequences lost their KV blocks and were recomputed."
            : " No sequence lost its KV blocks."
    }

    /// What prompt caching saved; nothing where no pool caches.
    private var cached: String {
        guard let counts = content.result.prefixCache, let rate = counts.rate else { return "" }
        return " Prompts found \(percent(rate, 1)) of their \(grouped(counts.queries)) tokens in the prefix cache."
    }

    private func drawing(of pool: PoolID, _ all: [TimelineRow]) -> HTML {
        let rows = all.merged(into: 720)
        let origin = content.result.start
        let end = rows.last.map { ($0.time + $0.span - origin).seconds } ?? 0
        /// A level that nobody observed goes on as it was.
        func points(_ value: (TimelineRow) -> Double?) -> [Chart.Point] {
            rows.compactMap { row in value(row).map { Chart.Point(x: (row.time - origin).seconds, y: $0) } }
        }
        let depth = points { $0.queueDepth.map(Double.init) }
        let deepest = depth.map(\.y).max() ?? 0
        var queue = Chart(
            "Requests waiting at \(pool)", summary: "At most \(Int(deepest)) requests wait.", x: time,
            y: .linear(upTo: deepest, whole: true, label: short), yTitle: "requests waiting", height: 130, namesX: false
        )
        queue.area(depth, to: end, color: 2)
        queue.steps(depth, to: end, color: 2)

        var load = Chart(
            "Load of \(pool)", summary: "Share of ready replica time in steps, and of KV blocks in use, where known.",
            x: time, y: .linear(upTo: 1) { percent($0, 0) }, yTitle: "utilization", height: 140)
        let (busy, blocks) = (points(\.utilization), points(\.kvUtilization))
        load.steps(busy, to: end, color: 1)
        load.steps(blocks, to: end, color: 4, pattern: .dashed)
        var drawn: [(Int, Legend.Swatch, String)] = []
        if !busy.isEmpty { drawn.append((1, .line(.solid), "time in steps")) }
        if !blocks.isEmpty { drawn.append((4, .line(.dashed), "KV blocks in use")) }
        return """
            \(queue.html)\(firstTokens(rows, of: pool))
            \(Legend([(6, .line(.dotted), "slowest first token"), (1, .line(.solid), "mean first token")]).html)
            \(load.html)
            \(Legend(drawn).html)
            \(Self.table(all, pool).disclosed("Figures for \(pool)"))
            """
    }

    private func firstTokens(_ rows: [TimelineRow], of pool: PoolID) -> HTML {
        let origin = content.result.start
        let served = rows.filter { $0.firstTokens > 0 }
        func points(_ value: (TimelineRow) -> Double) -> [Chart.Point] {
            served.map { Chart.Point(x: ($0.time - origin + $0.span).seconds, y: max(value($0), 1e-3)) }
        }
        let mean = points { $0.meanTTFT ?? 0 }
        let longest = points { $0.ttftMax.milliseconds }
        guard let low = mean.map(\.y).min(), let high = longest.map(\.y).max() else { return "" }
        let targets = content.scenario.sloClasses.compactMap { each in each.ttft.map { (each.name, $0) } }
        var chart = Chart(
            "First-token times of \(pool)",
            summary: "Interval means from \(latency(milliseconds: low)); slowest "
                + "\(latency(milliseconds: high)).",
            x: time,
            y: .logarithmic(from: low, to: max(high, targets.map(\.1.milliseconds).max() ?? 0)) {
                latency(milliseconds: $0)
            },
            yTitle: "time to first token", height: 170, namesX: false)
        chart.line(longest, color: 6, pattern: .dotted)
        chart.line(mean, color: 1)
        for (name, target) in targets {
            chart.rule(y: target.milliseconds, "\(name): \(spelled(target))", avoiding: [longest, mean])
        }
        return chart.html
    }

    private var coldStarts: HTML {
        let longest = content.scenario.pools.map(\.coldStart.total).max() ?? .zero
        let pools = content.scenario.pools.map { pool -> HTML in
            var x = 0.0
            let stages = StartStage.allCases.map { stage -> HTML in
                let span = pool.coldStart.duration(of: stage)
                let width = longest > .zero ? 900 * span.seconds / longest.seconds : 0
                defer { x += width }
                return width >= 0.5
                    ? """
                    <rect class="\(stage.rawValue % 2 == 0 ? "fill" : "hatched") c\(Self.color(stage))" x="\(x)" y="0" \
                    width="\(max(0.5, width - 1))" height="18" rx="2"/>
                    """ : ""
            }
            let total = "\(spelled(pool.coldStart.total)) from request to ready"
            return """
                <p class="small">\(pool.id.name): \(total)</p><svg class="wide" viewBox="0 0 900 20" role="img">\
                <title>Cold start of \(pool.id.name)</title><desc>\(Self.described(pool.coldStart))</desc>\
                \(stages)</svg>
                <ul class="legend">\(Self.key(pool.coldStart))</ul>
                """
        }
        return HTML(pools)
    }

    private static func color(_ stage: StartStage) -> Int {
        switch stage {
        case .provision: 1
        case .pull: 5
        case .load: 2
        case .warmUp: 6
        }
    }

    private static func described(_ start: ColdStart) -> String {
        StartStage.allCases.map { "\($0.name) \(spelled(start.duration(of: $0)))" }.joined(separator: ", ")
    }

    private static func key(_ start: ColdStart) -> [HTML] {
        StartStage.allCases.map { stage in
            """
            <li><svg class="swatch" viewBox="0 0 22 12" aria-hidden="true"><rect class="\
            \(stage.rawValue % 2 == 0 ? "fill" : "hatched") c\(color(stage))" width="22" height="12" rx="2"/></svg>\
            \(stage.name) \(spelled(start.duration(of: stage)))</li>
            """
        }
    }

    private static func table(_ rows: [TimelineRow], _ pool: PoolID) -> Table {
        var table = Table(
            "Queue, latency and load of \(pool), by interval",
            header: [
                "From (UTC)", "Span", "Waiting at most", "Running", "Mean TTFT", "Slowest TTFT", "Utilization",
                "KV use",
            ])
        for row in rows.merged(into: 24) {
            table.add([
                row.time.readable, spelled(row.span), row.queueDepth.map { grouped(Int64($0)) } ?? "–",
                row.running.map { grouped(Int64($0)) } ?? "–",
                latency(milliseconds: row.meanTTFT), row.firstTokens > 0 ? latency(row.ttftMax) : "–",
                row.utilization.map { percent($0, 0) } ?? "–", row.kvUtilization.map { percent($0, 0) } ?? "–",
            ])
        }
        return table
    }
}
