/// One drawing: a plane between two scales, and marks on it.
///
/// Marks take their colour from a class `c1` to `c6` of the style sheet, so light, dark and print share one drawing.
struct Chart {
    struct Point {
        var x: Double
        var y: Double
    }

    /// What the drawing shows, for those who cannot see it: a name, and a sentence with its main numbers.
    let title: String
    let summary: String
    let x: Scale
    let y: Scale
    let xTitle: String
    let yTitle: String
    let width: Double
    let height: Double
    /// Whether the values of the x axis are written below it: not where another drawing with the same axis follows.
    let namesX: Bool
    private var marks: [HTML] = []
    /// Of levels that are drawn, so that their names do not meet.
    var names: [LabelBox] = []

    private let left = 62.0
    private let right = 14.0
    private let top = 26.0
    private var bottom: Double { namesX ? (xTitle.isEmpty ? 26 : 42) : 8 }

    init(
        _ title: String, summary: String, x: Scale, y: Scale, xTitle: String = "", yTitle: String,
        width: Double = 900, height: Double = 200, namesX: Bool = true
    ) {
        self.title = title
        self.summary = summary
        self.x = x
        self.y = y
        self.xTitle = xTitle
        self.yTitle = yTitle
        self.width = width
        self.height = height
        self.namesX = namesX
    }

    func px(_ value: Double) -> Double { left + x.fraction(value) * (width - left - right) }
    func py(_ value: Double) -> Double { height - bottom - y.fraction(value) * (height - top - bottom) }

    mutating func add(_ mark: HTML) { marks.append(mark) }

    var html: HTML {
        """
        <div class="scroll"><svg viewBox="0 0 \(width) \(height)" role="img" class="\(width < 700 ? "half" : "wide")">\
        <title>\(title)</title><desc>\(summary)</desc>
        \(grid)
        \(marks)
        </svg></div>
        """
    }

    private var grid: HTML {
        let floor = height - bottom
        let horizontal = y.ticks.map { tick -> HTML in
            let at = py(tick.value)
            return """
                <line class="grid" x1="\(left)" x2="\(width - right)" y1="\(at)" y2="\(at)"/>\
                <text class="tick end" x="\(left - 8)" y="\(at + 4)">\(tick.label)</text>
                """
        }
        let vertical = x.ticks.map { tick -> HTML in
            let at = px(tick.value)
            let anchor: HTML = at > width - right - 16 ? "tick end" : "tick mid"
            let label: HTML =
                namesX ? "<text class=\"\(anchor)\" x=\"\(at)\" y=\"\(floor + 17)\">\(tick.label)</text>" : ""
            return "<line class=\"grid\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(floor)\" y2=\"\(floor + 4)\"/>\(label)"
        }
        let below: HTML =
            namesX && !xTitle.isEmpty
            ? "<text class=\"axis end\" x=\"\(width - right)\" y=\"\(height - 6)\">\(xTitle)</text>" : ""
        return "\(horizontal)\n\(vertical)\n<text class=\"axis\" x=\"0\" y=\"13\">\(yTitle)</text>\(below)"
    }
}
