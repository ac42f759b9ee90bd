import Control
import FleetModel
import Units

/// The controller's status page: one file without script, which a browser asks for again every few seconds.
public struct StatusPage: Sendable {
    public let text: String

    /// - Parameter refresh: Seconds after which a browser asks again.
    public init(_ status: ControllerStatus, refresh: Int = 5) {
        let page: HTML = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(ReportPage.securityPolicy)">
            <meta http-equiv="refresh" content="\(refresh)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(Self.headline(status)) · Tidegate</title>
            <style>\(Stylesheet.html)</style></head>
            <body>
            <h1>Controller</h1>
            <p class="question">\(Self.summary(status))</p>
            <div class="verdict">\(Self.pill(status))<span class="meta">as of \(status.time.readable) UTC</span></div>
            \(Self.tiles(status))
            <nav aria-label="Sections"><ul>\(Self.links(status))</ul></nav>
            <main>
            \(Self.alarms(status))
            \(status.pools.map { Self.pool($0) })
            \(Self.decisions(status))
            \(Self.problems(status))
            </main>
            <footer>Tidegate \(status.version) · policy \(status.policy), digest \(status.policyDigest) · journal \(status.journal)</footer>
            </body></html>

            """
        text = page.text
    }

    private static func links(_ status: ControllerStatus) -> [HTML] {
        status.pools.map { pool -> HTML in
            "<li><a href=\"#pool-\(pool.status.pool.name)\">Pool \(pool.status.pool.name)</a></li>"
        } + ["<li><a href=\"#decisions\">Decisions</a></li>"]
    }

    private static func headline(_ status: ControllerStatus) -> String {
        let levels = status.pools.map { "\($0.status.pool) \($0.status.readyReplicas.count)/\($0.status.target)" }
        return ([status.role.rawValue] + levels).joined(separator: " ")
    }

    private static func summary(_ status: ControllerStatus) -> String {
        switch status.role {
        case .standby:
            "Another controller leads\(status.leader.map { ", " + $0 } ?? ""); this one takes over when that one is gone."
        case .shadow: "It decides and journals, and changes nothing."
        case .paused: "An operator has paused it: it decides and journals, and changes nothing."
        case .active: "It decides, journals, and resizes the pools."
        }
    }

    private static func pill(_ status: ControllerStatus) -> HTML {
        let isWell =
            status.role == .active && status.alarms.isEmpty
            && status.pools.allSatisfy { $0.problems.isEmpty }
        let epoch = status.epoch.map { ", epoch \($0)" } ?? ""
        return "<span class=\"pill \(isWell ? "good" : "bad")\">\(status.role.rawValue)\(epoch)</span>"
    }

    private static func tiles(_ status: ControllerStatus) -> HTML {
        func sum(_ value: (ControllerStatus.Pool) -> Int) -> Int { status.pools.reduce(0) { $0 + value($1) } }
        let costs = status.pools.map(\.costPerHour)
        let cost = costs.contains { $0 == nil } ? "unknown" : money(costs.reduce(.zero) { $0 + $1! }) + "/h"
        let tiles = [
            ("Ready", "\(sum { $0.status.readyReplicas.count })", "of \(sum { $0.status.target }) wanted"),
            ("On their way", "\(sum { $0.status.starting })", "\(sum { $0.status.draining }) draining"),
            ("Spend", cost, "machines held now"), ("Decisions", grouped(Int64(status.ticks)), "ticks journaled"),
        ]
        let cells = tiles.map { title, figure, aside -> HTML in
            """
            <div class="tile"><dt>\(title)</dt><dd><span class="figure">\(figure)</span>\
            <span class="aside">\(aside)</span></dd></div>
            """
        }
        return "<dl class=\"tiles\">\(cells)</dl>"
    }

    // MARK: - Pools

    private static func pool(_ pool: ControllerStatus.Pool) -> HTML {
        var table = Table(
            "Replicas of \(pool.status.pool)", header: ["Replica", "Phase", "Requests", "Where", "Called"],
            textColumns: [0, 1, 3, 4])
        for replica in pool.replicas {
            table.add([
                "\(replica.id)", replica.phase, replica.outstanding.map { "\($0)" } ?? "–", replica.url ?? "–",
                replica.name,
            ])
        }
        let problems = pool.problems.map { text -> HTML in "<li>\(text)</li>" }
        let trouble: HTML = problems.isEmpty ? "" : "<h3>In its way</h3><ul class=\"prose\">\(problems)</ul>"
        return Panel(
            id: "pool-\(pool.status.pool)", title: "Pool \(pool.status.pool)", lead: demand(pool),
            body: "\(signals(pool))\(table.html)\(trouble)"
        ).html
    }

    private static func demand(_ pool: ControllerStatus.Pool) -> String {
        guard let offered = pool.observation?.offered else { return "Demand is not known yet." }
        let seconds = max(offered.window.seconds, 1e-9)
        return
            "\(threeDigits(offered.requests / seconds)) requests/s, \(short(offered.promptTokens / seconds)) prompt and "
            + "\(short(offered.outputTokens / seconds)) output tokens/s, over the last \(spelled(offered.window))."
    }

    /// What the policy was told; a dash where it was told nothing.
    private static func signals(_ pool: ControllerStatus.Pool) -> HTML {
        guard let seen = pool.observation else { return "" }
        var table = Table(
            "What the policy saw",
            header: ["Waiting", "Running", "KV used", "TTFT p99", "ITL p99", "Oldest sample", "Doubtful"],
            textColumns: [])
        table.add([
            seen.queueDepth.map { threeDigits($0) } ?? "–", seen.runningSequences.map { threeDigits($0) } ?? "–",
            seen.kvUtilization.map { percent($0) } ?? "–", latency(milliseconds: seen.ttft.map { $0.p99 * 1000 }),
            latency(milliseconds: seen.itl.map { $0.p99 * 1000 }), seen.sampleAge.map { spelled($0) } ?? "–",
            "\(seen.doubtful + seen.missingReplicas) of \(seen.ready)",
        ])
        return table.html
    }

    // MARK: - What happened

    private static func decisions(_ status: ControllerStatus) -> HTML {
        var table = Table(
            "The last decisions that changed a target or met a guard",
            header: ["Number", "Time (UTC)", "Pool", "Target", "Why"],
            textColumns: [1, 2, 4])
        for record in status.decisions.prefix(30) {
            let withheld = record.context?.withheld.map { " (\($0.rawValue): not done)" } ?? ""
            for target in record.targets {
                let from = record.observation.pools.first { $0.pool == target.pool }?.target ?? 0
                table.add([
                    "\(record.sequence)", record.time.readable, target.pool.name,
                    "\(from) → \(target.replicas)\(withheld)",
                    target.reason,
                ])
            }
            for held in record.interventions where !record.targets.contains(where: { $0.pool == held.pool }) {
                table.add([
                    "\(record.sequence)", record.time.readable, held.pool.name,
                    "stays \(held.allowed), wanted \(held.proposed)",
                    "guard: \(held.reason)",
                ])
            }
        }
        return Panel(
            id: "decisions", title: "Decisions",
            lead: status.decisions.isEmpty
                ? "Nothing has changed a target yet." : "Newest first; the journal has them all.",
            body: status.decisions.isEmpty ? "" : table.wrapping([4]).html
        ).html
    }

    private static func alarms(_ status: ControllerStatus) -> HTML {
        guard !status.alarms.isEmpty else { return "" }
        let items = status.alarms.map { alarm -> HTML in
            "<li>\(alarm.kind.rawValue)\(alarm.pool.map { ", pool \($0)" } ?? ""): \(alarm.text)</li>"
        }
        return Panel(
            id: "alarms", title: "Alarms", lead: "What is the matter now.", body: "<ul class=\"prose\">\(items)</ul>"
        ).html
    }

    private static func problems(_ status: ControllerStatus) -> HTML {
        guard !status.problems.isEmpty else { return "" }
        let items = status.problems.prefix(30).map { problem -> HTML in
            "<li>\(problem.time.readable) UTC: \(problem.text)</li>"
        }
        return Panel(
            id: "problems", title: "What to look at", lead: "Newest first.", body: "<ul class=\"prose\">\(items)</ul>"
        ).html
    }
}
