extension Chart {
    /// How a mark is drawn beside its colour: never by colour alone.
    enum Pattern: String {
        case solid
        case dashed
        case dotted
    }

    /// Straight lines from point to point.
    mutating func line(_ points: [Point], color: Int, pattern: Pattern = .solid) {
        guard let first = points.first else { return }
        var path = "M\(coordinate(px(first.x))) \(coordinate(py(first.y)))"
        for point in points.dropFirst() { path += "L\(coordinate(px(point.x))) \(coordinate(py(point.y)))" }
        add("<path class=\"line c\(color) \(pattern.rawValue)\" d=\"\(path)\"/>")
    }

    /// A level that holds from each point to the next, and from the last to `end`.
    mutating func steps(_ points: [Point], to end: Double, color: Int, pattern: Pattern = .solid) {
        guard let path = staircase(points, to: end) else { return }
        add("<path class=\"line c\(color) \(pattern.rawValue)\" d=\"M\(path)\"/>")
    }

    /// A level that was asked for, which others are measured against: in the colour of text.
    mutating func target(_ points: [Point], to end: Double) {
        guard let path = staircase(points, to: end) else { return }
        add("<path class=\"target\" d=\"M\(path)\"/>")
    }

    /// The area under a level that holds from each point to the next.
    mutating func area(_ points: [Point], to end: Double, color: Int) {
        guard let path = staircase(points, to: end), let first = points.first else { return }
        let floor = coordinate(py(y.lower))
        let close = "V\(floor)H\(coordinate(px(first.x)))Z"
        add("<path class=\"area c\(color)\" d=\"M\(path)\(close)\"/>")
    }

    /// The band between two levels that hold from each point to the next; `points` and `floor` have the same x.
    mutating func band(_ points: [Point], above floor: [Point], to end: Double, color: Int, hatched: Bool = false) {
        let isVisible = zip(points, floor).contains { $0.y > $1.y }
        guard isVisible, let last = floor.last, let top = staircase(points, to: end) else { return }
        var level = coordinate(py(last.y))
        var back = "L\(coordinate(px(end))) \(level)"
        for index in floor.indices.reversed() {
            let next = index > 0 ? coordinate(py(floor[index - 1].y)) : ""
            guard next != level else { continue }
            back += "H\(coordinate(px(floor[index].x)))" + (index > 0 ? "V\(next)" : "Z")
            level = next
        }
        add("<path class=\"\(hatched ? "hatched" : "fill") c\(color)\" d=\"M\(top)\(back)\"/>")
    }

    /// A rectangle between two corners.
    mutating func bar(from a: Point, to b: Point, color: Int, hatched: Bool = false) {
        let (x0, x1, y0, y1) = (px(a.x), px(b.x), py(a.y), py(b.y))
        guard x1 > x0, y0 - y1 >= 0.05 else { return }
        add(
            """
            <rect class="\(hatched ? "hatched" : "fill") c\(color)" x="\(x0)" y="\(y1)" \
            width="\(max(0.5, x1 - x0 - 1))" height="\(y0 - y1)"/>
            """)
    }

    /// A level that matters, with its name above or below it, as far to the right as no other level's name is and, if
    /// there is such a place, no curve.
    ///
    /// - Returns: What the line and its name take up; empty for a level that lies outside.
    @discardableResult
    mutating func rule(y level: Double, _ label: String, avoiding curves: [[Point]] = []) -> [LabelBox] {
        guard level >= y.lower, level <= y.upper else { return [] }
        let at = py(level)
        let (left, right) = (px(x.lower), px(x.upper))
        let heights = at < 40 ? [at + 14] : [at - 5, at + 14]
        let length = LabelBox(label, anchor: "start", x: 0, y: 0).x1
        let places = stride(from: right - 4, through: min(right - 4, left + 4 + length), by: -12).flatMap { end in
            heights.map { ("end", end, $0) }
        }
        let boxes = places.map { LabelBox(label, anchor: $0.0, x: $0.1, y: $0.2) }
        let lines = curves.map { $0.map { (x: px($0.x), y: py($0.y)) } }
        func isFree(_ box: LabelBox) -> Bool { !names.contains { $0.overlaps(box) } && box.y1 <= py(y.lower) }
        func isClear(_ box: LabelBox) -> Bool {
            !lines.contains { line in zip(line, line.dropFirst()).contains { box.isCrossed(from: $0, to: $1) } }
        }
        let chosen =
            boxes.indices.first { isFree(boxes[$0]) && isClear(boxes[$0]) } ?? boxes.indices.first { isFree(boxes[$0]) }
            ?? 0
        let (anchor, textX, textY) = places[chosen]
        let line = LabelBox(x0: left, x1: right, y0: at - 1, y1: at + 1)
        names += [boxes[chosen], line]
        add(
            """
            <line class="rule" x1="\(left)" x2="\(right)" y1="\(at)" y2="\(at)"/>\
            <text class="note \(anchor)" x="\(textX)" y="\(textY)">\(label)</text>
            """)
        return [boxes[chosen], line]
    }

    /// A value with its interval in both directions.
    mutating func cross(
        _ point: Point, x bounds: ClosedRange<Double>, y rise: ClosedRange<Double>, color: Int, filled: Bool
    ) {
        let (cx, cy) = (px(point.x), py(point.y))
        add(
            """
            <g class="c\(color)"><line class="whisker" x1="\(px(bounds.lowerBound))" x2="\(px(bounds.upperBound))" \
            y1="\(cy)" y2="\(cy)"/><line class="whisker" x1="\(cx)" x2="\(cx)" y1="\(py(rise.lowerBound))" \
            y2="\(py(rise.upperBound))"/><circle class="\(filled ? "dot" : "ring")" cx="\(cx)" cy="\(cy)" r="6"/></g>
            """)
    }

    /// `x,y` of each corner without repeating a level that does not change.
    private func staircase(_ points: [Point], to end: Double) -> String? {
        guard let first = points.first else { return nil }
        var level = coordinate(py(first.y))
        var path = "\(coordinate(px(first.x))) \(level)"
        for point in points.dropFirst() {
            let next = coordinate(py(point.y))
            guard next != level else { continue }
            path += "H\(coordinate(px(point.x)))V\(next)"
            level = next
        }
        return path + "H\(coordinate(px(end)))"
    }
}
