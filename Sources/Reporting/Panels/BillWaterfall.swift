import Pricing
import Units

/// The bill taken apart: what tenants used, then each kind of overhead on top, up to the total.
struct BillWaterfall {
    private let bill: Bill

    init(_ bill: Bill) { self.bill = bill }

    private struct Step {
        var name: String
        var explanation: String
        var amount: USD
        var base: USD
        var color: Int
        var hatched: Bool
    }

    private var steps: [Step] {
        let used = bill.total - bill.overhead
        var steps = [
            Step(
                name: "Serving tenants", explanation: "steps that produced their tokens", amount: used, base: .zero,
                color: 1, hatched: false)
        ]
        var base = used
        for kind in OverheadKind.allCases where bill.split[kind] > .zero {
            steps.append(
                Step(
                    name: kind.name.prefix(1).uppercased() + kind.name.dropFirst(), explanation: Self.explanation(kind),
                    amount: bill.split[kind], base: base, color: Self.color(kind), hatched: true))
            base += bill.split[kind]
        }
        steps.append(
            Step(
                name: "Total", explanation: "\(bill.lines.count) bill lines", amount: bill.total, base: .zero, color: 3,
                hatched: false))
        return steps
    }

    private static func color(_ kind: OverheadKind) -> Int {
        switch kind {
        case .idle: 1
        case .starting: 2
        case .draining: 4
        case .empty: 5
        case .unattributed: 6
        }
    }

    private static func explanation(_ kind: OverheadKind) -> String {
        switch kind {
        case .idle: "ready, no step to run"
        case .starting: "cold starts"
        case .draining: "winding down without work"
        case .empty: "room for a replica, none there"
        case .unattributed: "steps that gave no tenant a token"
        }
    }

    var html: HTML {
        let steps = steps
        let (left, right, rowHeight) = (260.0, 760.0, 34.0)
        let scale = bill.total > .zero ? (right - left) / bill.total.dollars : 0
        let rows = steps.enumerated().map { index, step -> HTML in
            let y = Double(index) * rowHeight
            let x = left + step.base.dollars * scale
            let width = max(step.amount.dollars * scale, 1)
            let joint: HTML =
                index + 1 < steps.count
                ? "<line class=\"joint\" x1=\"\(x + width)\" x2=\"\(x + width)\" y1=\"\(y + 25)\" y2=\"\(y + 43)\"/>"
                : ""
            let share = bill.total > .zero ? percent(step.amount.dollars / bill.total.dollars) : "–"
            return """
                <text class="name" x="0" y="\(y + 15)">\(step.name)</text>\
                <text x="0" y="\(y + 28)">\(step.explanation)</text>\
                <rect class="\(step.hatched ? "hatched" : "fill") c\(step.color)" x="\(x)" y="\(y + 5)" \
                width="\(width)" height="20" rx="2"/>\(joint)\
                <text class="name end" x="834" y="\(y + 19)">\(money(step.amount))</text>\
                <text class="end" x="900" y="\(y + 19)">\(share)</text>
                """
        }
        let summary = steps.map { "\($0.name) \(money($0.amount))" }.joined(separator: ", ")
        return """
            <div class="scroll"><svg class="wide" viewBox="0 0 900 \(Double(steps.count) * rowHeight + 2)" role="img">\
            <title>Where the money goes</title><desc>\(summary)</desc>
            \(rows)</svg></div>
            """
    }
}
