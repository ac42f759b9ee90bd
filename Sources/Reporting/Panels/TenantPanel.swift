import Pricing
import Simulation
import Units

/// Who pays: each tenant's traffic and share, with the sums that tie them to the bill.
struct TenantPanel {
    private let content: ReportContent
    private var bill: Bill { content.result.bill }

    init(_ content: ReportContent) { self.content = content }

    var panel: Panel {
        let weights = content.scenario.allocation
        return Panel(
            id: "tenants", title: "Who pays",
            lead: "An instance's busy time in each charge period is divided by the tokens it served, a prompt token "
                + "weighing \(weights.promptToken) and an output token \(weights.outputToken).",
            body: "\(table.html)<p class=\"small\">\(proof)</p>")
    }

    private var table: Table {
        var table = Table(
            "Cost and traffic by tenant",
            header: [
                "Tenant", "Requests", "Completed", "Prompt tokens", "Output tokens", "Within SLO", "Cost",
                "Share of bill",
                "",
            ])
        for (tenant, cost) in zip(content.result.tenants, bill.split.tenants) {
            let share = bill.total > .zero ? cost.dollars / bill.total.dollars : 0
            let arrived = tenant.outcomes.arrived
            let met = arrived > 0 ? attainmentText(Double(tenant.met) / Double(arrived)) : "–"
            let texts = [
                tenant.name, grouped(arrived), grouped(tenant.outcomes.completed),
                grouped(tenant.promptTokens), grouped(tenant.outputTokens), met, money(cost),
                percent(share),
            ]
            table.add(texts.map(HTML.init(escaping:)) + [Self.bar(share)])
        }
        let tenants = bill.split.tenants.reduce(USD.zero, +)
        let result = content.result
        table.total([
            "All tenants", grouped(result.outcomes.arrived), grouped(result.outcomes.completed),
            grouped(result.promptTokens), grouped(result.outputTokens), attainmentText(result.attainment),
            money(tenants),
            share(tenants), "",
        ])
        table.total(["Overhead", "", "", "", "", "", money(bill.overhead), share(bill.overhead), ""])
        table.total(["Bill", "", "", "", "", "", money(bill.total), share(bill.total), ""])
        return table
    }

    private func share(_ amount: USD) -> String {
        bill.total > .zero ? percent(amount.dollars / bill.total.dollars) : "–"
    }

    /// The sum to the nanodollar: what makes the rounded figures above believable.
    private var proof: String {
        let tenants = bill.split.tenants.reduce(USD.zero, +)
        return "To the nanodollar: \(tenants) (tenants) + \(bill.overhead) (overhead) = \(bill.total) USD, "
            + "the sum of \(grouped(Int64(bill.lines.count))) bill lines."
    }

    private static func bar(_ share: Double) -> HTML {
        """
        <svg class="bar" viewBox="0 0 110 10" aria-hidden="true"><rect class="track" width="110" height="10" rx="2"/>\
        <rect class="fill c1" width="\(110 * min(1, share))" height="10" rx="2"/></svg>
        """
    }
}
