/// A data table: the first column is text, the others are numbers unless told.
struct Table {
    var caption: String
    var header: [String]
    var rows: [[HTML]] = []
    /// Rows below a line: sums.
    var footer: [[HTML]] = []
    /// Columns of text, left aligned.
    var textColumns: Set<Int>
    /// Columns of sentences, which may run over several lines.
    private var wrapped: Set<Int> = []

    init(_ caption: String, header: [String], textColumns: Set<Int> = [0]) {
        self.caption = caption
        self.header = header
        self.textColumns = textColumns
    }

    mutating func add(_ cells: [HTML]) { rows.append(cells) }
    mutating func add(_ cells: [String]) { rows.append(cells.map(HTML.init(escaping:))) }
    mutating func total(_ cells: [String]) { footer.append(cells.map(HTML.init(escaping:))) }

    func wrapping(_ columns: Set<Int>) -> Table {
        var copy = self
        copy.wrapped = columns
        return copy
    }

    /// The table in a box that scrolls sideways on a narrow screen.
    var html: HTML {
        let head = header.enumerated().map { index, title -> HTML in
            "<th scope=\"col\"\(alignment(index))>\(title)</th>"
        }
        let foot: HTML = footer.isEmpty ? "" : "<tfoot>\(footer.map(row))</tfoot>"
        return """
            <div class="scroll" tabindex="0" role="region" aria-label="\(caption)"><table>
            <caption>\(caption)</caption>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(rows.map(row))
            </tbody>\(foot)</table></div>
            """
    }

    /// The table behind a summary line: the numbers of a drawing.
    func disclosed(_ summary: String) -> HTML { "<details><summary>\(summary)</summary>\(html)</details>" }

    private func row(_ cells: [HTML]) -> HTML {
        let marked = cells.enumerated().map { index, cell -> HTML in
            index == 0 ? "<th scope=\"row\"\(alignment(0))>\(cell)</th>" : "<td\(alignment(index))>\(cell)</td>"
        }
        return "<tr>\(marked.reduce(HTML.empty, +))</tr>"
    }

    private func alignment(_ index: Int) -> HTML {
        guard textColumns.contains(index) else { return "" }
        return wrapped.contains(index) ? " class=\"t wrap\"" : " class=\"t\""
    }
}
