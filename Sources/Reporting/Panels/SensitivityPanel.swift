import Studies

/// A tornado for each figure: which fields move it, the widest on top.
struct SensitivityPanel {
    private let sensitivity: Sensitivity

    init(_ sensitivity: Sensitivity) { self.sensitivity = sensitivity }

    var panel: Panel {
        Panel(
            id: "sensitivity", title: "Sensitivity", lead: lead,
            body: """
                \(HeadlineFigure.allCases.map(tornado))
                \(Legend([(1, .fill, "lower"), (2, .hatched, "higher")]).html)
                \(table.html)
                <p class="small">\(footnote)</p>
                """)
    }

    private var lead: String {
        let parts = HeadlineFigure.allCases.compactMap { figure -> String? in
            guard let top = ordered(figure).first, top.swing(figure) > 0 else { return nil }
            return "\(figure.title) moves most with \(top.path)"
        }
        return parts.isEmpty ? "None of the fields moves a figure." : sentence(parts)
    }

    private func sentence(_ parts: [String]) -> String {
        let text = parts.joined(separator: "; ")
        return text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    private var footnote: String {
        let runs = sensitivity.replications
        let basis =
            runs > 1 ? "Means over \(runs) replications, differences with 95 % intervals" : "One run of each side"
        return basis
            + "; one field at a time, all on the same random numbers. Where engine profiles were varied, policies "
            + "plan with the varied profile too."
    }

    /// The widest first; the order they were asked for among equals.
    private func ordered(_ figure: HeadlineFigure) -> [Sensitivity.Entry] {
        sensitivity.entries.enumerated()
            .sorted { ($1.element.swing(figure), $0.offset) < ($0.element.swing(figure), $1.offset) }.map(\.element)
    }

    private func tornado(_ figure: HeadlineFigure) -> HTML {
        let rows = ordered(figure)
        let base = sensitivity.base[figure.index].value
        func end(_ side: Sensitivity.Side) -> Double { base + side.changes[figure.index].value }
        let ends = rows.flatMap { [end($0.low), end($0.high)] } + [base]
        let (least, most) = (ends.min()!, ends.max()!)
        let margin = max((most - least) * 0.05, abs(base) * 1e-4)
        var chart = Chart(
            "What moves \(figure.title)",
            summary: rows.map { "\($0.path): \(figure.text(end($0.low))) to \(figure.text(end($0.high)))" }
                .joined(separator: "; "),
            x: .linear(from: least - margin, to: most + margin) { figure.text($0) }, y: .rows(rows.count),
            xTitle: figure.title, yTitle: "", height: 74 + 44 * Double(rows.count))
        for (index, row) in rows.enumerated() {
            let floor = Double(rows.count - 1 - index)
            for (side, lane, color) in [(row.low, 0.36, 1), (row.high, 0.08, 2)] {
                let at = end(side)
                chart.bar(
                    from: Chart.Point(x: min(base, at), y: floor + lane),
                    to: Chart.Point(x: max(base, at), y: floor + lane + 0.24), color: color, hatched: color == 2)
            }
            chart.add(
                """
                <text class="note start" x="\(chart.px(chart.x.lower) + 6)" y="\(chart.py(floor + 0.7))">\
                \(row.path) (\(row.low.label), \(row.high.label))</text>
                """)
        }
        chart.add(
            """
            <line class="rule" x1="\(chart.px(base))" x2="\(chart.px(base))" y1="\(chart.py(0))" \
            y2="\(chart.py(Double(rows.count)))"/>
            """)
        return chart.html
    }

    private var table: Table {
        var table = Table(
            "Change against the scenario as written",
            header: ["Field", "Change"]
                + HeadlineFigure.allCases.map { $0.title.prefix(1).uppercased() + $0.title.dropFirst() },
            textColumns: [0, 1])
        for entry in sensitivity.entries {
            for side in [entry.low, entry.high] {
                table.add(
                    [HTML(escaping: entry.path), HTML(escaping: side.label)]
                        + HeadlineFigure.allCases.map { figure in
                            let change = side.changes[figure.index]
                            let under: HTML =
                                change.ci95.map { bounds in
                                    """
                                    <span class="under">\(figure.changeText(bounds.lower)) to \
                                    \(figure.changeText(bounds.upper))</span>
                                    """
                                } ?? ""
                            return "\(figure.changeText(change.value))\(under)"
                        })
            }
        }
        return table
    }
}
