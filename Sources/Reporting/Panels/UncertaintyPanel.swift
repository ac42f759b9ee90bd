import Studies

/// How sure the figures are, and what to know better to be surer.
struct UncertaintyPanel {
    private let uncertainty: Uncertainty

    init(_ uncertainty: Uncertainty) { self.uncertainty = uncertainty }

    var panel: Panel {
        let notes = uncertainty.notes.map { note -> HTML in "<li>\(note)</li>" }
        return Panel(
            id: "uncertainty", title: "Where the uncertainty comes from", lead: lead,
            body: """
                \(bars)
                \(table.html)
                <p class="small">\(footnote)</p>
                \(notes.isEmpty ? HTML.empty : "<ul class=\"prose\">\(notes)</ul>")
                """)
    }

    private var lead: String {
        let parts = uncertainty.figures.compactMap { figure -> String? in
            guard let most = zip(Uncertainty.Source.allCases, figure.shares).max(by: { $0.1.value < $1.1.value }),
                most.1.value > 0
            else { return nil }
            return "\(percent(most.1.value, 0)) of the variance of \(figure.figure.title) is \(most.0.rawValue)"
        }
        return parts.isEmpty ? "No figure varies." : parts.joined(separator: "; ") + "."
    }

    private var footnote: String {
        """
        \(uncertainty.draws) pairs of independent draws, \(uncertainty.runs) runs. Sampling: other traffic from the same \
        parameters. Calibration: step times within the errors of their fit. Demand: rates and lengths within the errors of \
        their estimates. Shares of the variance are Shapley effects from Jansen's estimators, with bootstrap intervals; the \
        range is the middle 95 % of single runs with everything drawn anew.
        """
    }

    private var bars: HTML {
        var chart = Chart(
            "Shares of the variance",
            summary: uncertainty.figures.map { figure in
                figure.figure.title + ": "
                    + zip(Uncertainty.Source.allCases, figure.shares)
                    .map { "\($0.rawValue) \(percent($1.value, 0))" }.joined(separator: ", ")
            }.joined(separator: "; "),
            x: .linear(upTo: 1) { percent($0, 0) }, y: .rows(uncertainty.figures.count),
            xTitle: "share of the variance",
            yTitle: "", height: 74 + 44 * Double(uncertainty.figures.count))
        for (index, figure) in uncertainty.figures.enumerated() {
            let floor = Double(uncertainty.figures.count - 1 - index)
            var from = 0.0
            for (source, share) in figure.shares.enumerated() {
                chart.bar(
                    from: Chart.Point(x: from, y: floor + 0.1), to: Chart.Point(x: from + share.value, y: floor + 0.58),
                    color: source + 1, hatched: source == 1)
                from += share.value
            }
            chart.add(
                """
                <text class="note start" x="\(chart.px(0) + 6)" y="\(chart.py(floor + 0.7))">\(figure.figure.title)</text>
                """)
        }
        let legend = Legend([(1, .fill, "sampling"), (2, .hatched, "calibration"), (3, .fill, "demand")])
        return "\(chart.html)\(legend.html)"
    }

    private var table: Table {
        var table = Table(
            "Range of single runs, and shares of their variance",
            header: ["Figure", "Mean", "Middle 95 %"] + Uncertainty.Source.allCases.map(\.rawValue.capitalized))
        for figure in uncertainty.figures {
            let text = figure.figure.text
            table.add(
                [
                    HTML(escaping: figure.figure.title), HTML(escaping: text(figure.mean)),
                    HTML(escaping: interval(figure.range, text)),
                ]
                    + figure.shares.map { share in
                        """
                        \(percent(share.value, 0))<span class="under">\(interval(share.interval) { percent($0, 0) })</span>
                        """
                    })
        }
        return table
    }
}
