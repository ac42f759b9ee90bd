/// The room that a text or a mark takes in a drawing.
struct LabelBox {
    var x0, x1, y0, y1: Double

    init(x0: Double, x1: Double, y0: Double, y1: Double) { (self.x0, self.x1, self.y0, self.y1) = (x0, x1, y0, y1) }

    /// Of a note whose baseline begins, ends or has its middle at (`x`, `y`).
    init(_ text: String, anchor: String, x: Double, y: Double) {
        // A character of the page's font is about 6.6 units wide at this size.
        let length = Double(text.count) * 6.6 + 4
        let left = anchor == "start" ? x : anchor == "end" ? x - length : x - length / 2
        self.init(x0: left, x1: left + length, y0: y - 11, y1: y + 3)
    }

    func overlaps(_ other: LabelBox) -> Bool { x0 < other.x1 && other.x0 < x1 && y0 < other.y1 && other.y0 < y1 }

    /// Whether the straight line between two points passes through.
    func isCrossed(from a: (x: Double, y: Double), to b: (x: Double, y: Double)) -> Bool {
        // Liang and Barsky: the part of the line inside each pair of edges.
        var (enter, leave) = (0.0, 1.0)
        for (start, change, low, high) in [(a.x, b.x - a.x, x0, x1), (a.y, b.y - a.y, y0, y1)] {
            if change == 0 {
                if start < low || start > high { return false }
                continue
            }
            let (first, second) = ((low - start) / change, (high - start) / change)
            enter = max(enter, min(first, second))
            leave = min(leave, max(first, second))
        }
        return enter <= leave
    }
}

/// Finds room for the names of dots: each near its own dot, on no other dot, no other name and no line that is kept free.
struct LabelPlacement {
    private let width: Double
    private let height: Double
    private var taken: [LabelBox] = []
    /// Those of them that are names: no line leads across one.
    private var names: [LabelBox] = []

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    /// Keeps names off the dot at (`x`, `y`).
    mutating func occupy(x: Double, y: Double) { occupy(LabelBox(x0: x - 8, x1: x + 8, y0: y - 8, y1: y + 8)) }

    mutating func occupy(_ box: LabelBox) { taken.append(box) }

    /// The name of the dot at (`x`, `y`) in the nearest free place, beside it if possible; a line leads to one that is
    /// further away. Where nothing is free, on the right.
    mutating func place(_ name: String, x: Double, y: Double) -> HTML {
        let beside: [(anchor: String, x: Double, y: Double)] = [
            ("start", x + 11, y - 5), ("end", x - 11, y - 5), ("start", x + 11, y + 15), ("end", x - 11, y + 15),
            ("mid", x, y - 14), ("mid", x, y + 24),
        ]
        let further = (2...8).flatMap { row -> [(anchor: String, x: Double, y: Double)] in
            let step = Double(row) * 16
            return [y + 8 + step, y - step].flatMap { line in
                [("mid", x, line), ("start", x + 11, line), ("end", x - 11, line)]
            }
        }
        let places = beside + further
        let boxes = places.map { LabelBox(name, anchor: $0.anchor, x: $0.x, y: $0.y) }
        let leaders = boxes.map { box in
            let isBelow = box.y0 > y
            return (
                from: (x: x, y: isBelow ? y + 6 : y - 6),
                to: (x: min(max(x, box.x0), box.x1), y: isBelow ? box.y0 : box.y1)
            )
        }
        func isLed(_ index: Int) -> Bool {
            index < beside.count || !names.contains { $0.isCrossed(from: leaders[index].from, to: leaders[index].to) }
        }
        let free = places.indices.filter { isFree(boxes[$0]) }
        let index = free.first(where: isLed) ?? free.first ?? 0
        let (chosen, leads) = (places[index], isLed(index))
        taken.append(boxes[index])
        names.append(boxes[index])
        var leader: HTML = ""
        // Stacked under another name of the same dot it needs no line, which would strike that name out.
        if index >= beside.count, leads {
            let (from, to) = leaders[index]
            leader = "<line class=\"leader\" x1=\"\(from.x)\" x2=\"\(to.x)\" y1=\"\(from.y)\" y2=\"\(to.y)\"/>"
        }
        return "\(leader)<text class=\"note \(chosen.anchor)\" x=\"\(chosen.x)\" y=\"\(chosen.y)\">\(name)</text>"
    }

    private func isFree(_ room: LabelBox) -> Bool {
        room.x0 >= 62 && room.x1 <= width && room.y0 >= 16 && room.y1 <= height - 44
            && !taken.contains { $0.overlaps(room) }
    }
}
