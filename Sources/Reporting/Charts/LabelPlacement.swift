/// Finds room for the names of dots: each beside its own dot, on no other dot and on no other name.
struct LabelPlacement {
    private struct Box {
        var x0, x1, y0, y1: Double

        func overlaps(_ other: Box) -> Bool { x0 < other.x1 && other.x0 < x1 && y0 < other.y1 && other.y0 < y1 }
    }

    private let width: Double
    private let height: Double
    private var taken: [Box] = []

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    /// Keeps names off the dot at (`x`, `y`).
    mutating func occupy(x: Double, y: Double) { taken.append(Box(x0: x - 8, x1: x + 8, y0: y - 8, y1: y + 8)) }

    /// The name of the dot at (`x`, `y`), in the first free place: right, left, above, below; right when none is free.
    mutating func place(_ name: String, x: Double, y: Double) -> HTML {
        // A character of the page's font is about 6.6 units wide at this size.
        let length = Double(name.count) * 6.6 + 4
        let places: [(anchor: String, x: Double, y: Double)] = [
            ("start", x + 11, y - 5), ("end", x - 11, y - 5), ("start", x + 11, y + 15), ("end", x - 11, y + 15),
            ("mid", x, y - 14), ("mid", x, y + 24), ("mid", x, y - 30), ("mid", x, y + 40),
        ]
        func box(_ place: (anchor: String, x: Double, y: Double)) -> Box {
            let left =
                place.anchor == "start" ? place.x : place.anchor == "end" ? place.x - length : place.x - length / 2
            return Box(x0: left, x1: left + length, y0: place.y - 11, y1: place.y + 3)
        }
        let chosen =
            places.first { place in
                let room = box(place)
                let isInside = room.x0 >= 62 && room.x1 <= width && room.y0 >= 16 && room.y1 <= height - 44
                return isInside && !taken.contains { $0.overlaps(room) }
            } ?? places[0]
        taken.append(box(chosen))
        return "<text class=\"note \(chosen.anchor)\" x=\"\(chosen.x)\" y=\"\(chosen.y)\">\(name)</text>"
    }
}
