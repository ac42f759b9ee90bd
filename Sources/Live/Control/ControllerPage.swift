import Control
import Reporting

/// The controller's metrics page.
enum ControllerPage {
    static func text(of status: ControllerStatus) -> String {
        var page = PrometheusPage(labels: [])
        page.gauge("tidegate_controller_leading", "Whether this controller leads.", status.epoch == nil ? 0 : 1)
        page.gauge("tidegate_controller_acting", "Whether decisions are carried out.", status.role == .active ? 1 : 0)
        page.counter("tidegate_controller_ticks_total", "Ticks journaled.", UInt64(max(0, status.ticks)))
        page.gauge(
            "tidegate_desired_replicas", "The level a pool should have.",
            status.pools.map { ([("pool", $0.status.pool.name)], Double($0.desired)) })
        page.gauge(
            "tidegate_replicas", "Replicas by phase.",
            status.pools.flatMap { pool in
                let name = ("pool", pool.status.pool.name)
                return [
                    ([name, ("phase", "ready")], Double(pool.status.readyReplicas.count)),
                    ([name, ("phase", "starting")], Double(pool.status.starting)),
                    ([name, ("phase", "draining")], Double(pool.status.draining)),
                ]
            })
        page.gauge(
            "tidegate_cost_usd_per_hour", "Price of the machines held now.",
            status.pools.compactMap { pool in
                pool.costPerHour.map { ([("pool", pool.status.pool.name)], Double($0.nanodollars) / 1e9) }
            })
        page.gauge("tidegate_problems", "Things an operator should look at.", Double(status.problems.count))
        page.gauge(
            "tidegate_alarm", "Alarms by kind: how many there are now.",
            Alarm.Kind.allCases.map { kind in
                ([("kind", kind.rawValue)], Double(status.alarms.count { $0.kind == kind }))
            })
        return page.text
    }
}
