import FleetModel
import Pricing
import Simulation
import Units

/// What is paid for, hour by hour and by capacity type, and where each dollar goes.
struct CostPanel {
    private let content: ReportContent
    private var bill: Bill { content.result.bill }

    init(_ content: ReportContent) { self.content = content }

    var panel: Panel {
        Panel(
            id: "cost", title: "Cost", lead: lead,
            body: """
                \(stack)
                <h3>Where the money goes</h3>
                \(BillWaterfall(bill).html)
                \(table.disclosed("Figures by hour"))
                """)
    }

    private var lead: String {
        guard bill.total > .zero else { return "Nothing was charged for." }
        let used = bill.total - bill.overhead
        let share = percent(used.dollars / bill.total.dollars)
        return "Of \(money(bill.total)), \(money(used)) (\(share)) ran steps for tenants; "
            + "\(money(bill.overhead)) was paid for time that served nobody."
    }

    /// The bill lines whose periods begin in one hour of the clock.
    private struct Hour {
        var start: Instant
        var end: Instant
        /// By capacity type: what tenants used, and the rest.
        var parts: [CapacityType: (used: USD, overhead: USD)] = [:]
    }

    private var hours: [Hour] {
        let length = TimeSpan.hours(1).nanoseconds
        var byHour: [Int64: Hour] = [:]
        for line in bill.lines {
            let key = line.usage.start.nanoseconds / length
            var hour = byHour[key] ?? Hour(start: line.usage.start, end: line.usage.end)
            hour.start = min(hour.start, line.usage.start)
            hour.end = max(hour.end, line.usage.end)
            let part = hour.parts[line.usage.offering.capacityType] ?? (.zero, .zero)
            hour.parts[line.usage.offering.capacityType] = (
                part.used + line.cost - line.split.overhead, part.overhead + line.split.overhead
            )
            byHour[key] = hour
        }
        return byHour.keys.sorted().compactMap { byHour[$0] }
    }

    private var types: [CapacityType] { bill.byCapacityType.map(\.capacityType) }

    private static func color(_ type: CapacityType) -> Int {
        switch type {
        case .onDemand: 1
        case .spot: 2
        }
    }

    private var stack: HTML {
        let hours = hours
        let tops = hours.map { hour in hour.parts.values.reduce(USD.zero) { $0 + $1.used + $1.overhead }.dollars }
        let most = tops.max() ?? 0
        let origin = content.result.start
        var chart = Chart(
            "Cost by hour and capacity type",
            summary: "\(hours.count) hours, the dearest at \(money(dollars: most)); overhead is hatched.",
            x: .time(from: origin, lasting: content.result.duration),
            y: .linear(upTo: most) { money(dollars: $0) }, yTitle: "USD charged in each hour", height: 210)
        for hour in hours {
            var floor = 0.0
            for type in types {
                guard let part = hour.parts[type] else { continue }
                for (amount, hatched) in [(part.used, false), (part.overhead, true)] {
                    chart.bar(
                        from: Chart.Point(x: (hour.start - origin).seconds, y: floor),
                        to: Chart.Point(x: (hour.end - origin).seconds, y: floor + amount.dollars),
                        color: Self.color(type), hatched: hatched)
                    floor += amount.dollars
                }
            }
        }
        let legend = Legend(
            types.flatMap { type in
                [
                    (Self.color(type), .fill, "\(type.rawValue), serving tenants"),
                    (Self.color(type), .hatched, "\(type.rawValue), overhead"),
                ]
            })
        return "\(chart.html)\(legend.html)"
    }

    private var table: Table {
        var table = Table(
            "Cost by hour (UTC)",
            header: ["From"] + types.flatMap { ["\($0.rawValue) used", "\($0.rawValue) overhead"] } + ["Total"])
        for hour in hours.prefix(96) {
            let parts = types.map { hour.parts[$0] ?? (.zero, .zero) }
            let total = parts.reduce(USD.zero) { $0 + $1.used + $1.overhead }
            table.add([hour.start.readable] + parts.flatMap { [money($0.used), money($0.overhead)] } + [money(total)])
        }
        let sums = bill.byCapacityType.flatMap { [money($0.total - $0.overhead), money($0.overhead)] }
        table.total([hours.count > 96 ? "All \(hours.count) hours (96 shown)" : "Sum"] + sums + [money(bill.total)])
        return table
    }
}
