/// The key of a drawing: each mark as it is drawn, with its name.
struct Legend {
    enum Swatch {
        case line(Chart.Pattern)
        case fill
        case hatched
        case dot
        case ring
        case target
    }

    var entries: [(color: Int, swatch: Swatch, name: String)]

    init(_ entries: [(color: Int, swatch: Swatch, name: String)]) { self.entries = entries }

    var html: HTML {
        let items = entries.map { color, swatch, name -> HTML in
            let mark: HTML =
                switch swatch {
                case .line(let pattern): "<path class=\"line c\(color) \(pattern.rawValue)\" d=\"M0 6H22\"/>"
                case .fill: "<rect class=\"fill c\(color)\" width=\"22\" height=\"12\" rx=\"2\"/>"
                case .hatched: "<rect class=\"hatched c\(color)\" width=\"22\" height=\"12\" rx=\"2\"/>"
                case .dot: "<circle class=\"dot c\(color)\" cx=\"11\" cy=\"6\" r=\"5\"/>"
                case .target: "<path class=\"target\" d=\"M0 6H22\"/>"
                case .ring: "<circle class=\"ring c\(color)\" cx=\"11\" cy=\"6\" r=\"5\"/>"
                }
            return "<li><svg class=\"swatch\" viewBox=\"0 0 22 12\" aria-hidden=\"true\">\(mark)</svg>\(name)</li>"
        }
        return "<ul class=\"legend\">\(items)</ul>"
    }

    /// The hatches that `hatched` marks are filled with: one per colour, defined once in a page.
    static var patterns: HTML {
        let patterns = (1...6).map { color -> HTML in
            """
            <pattern id="hatch\(color)" class="c\(color)" patternUnits="userSpaceOnUse" width="6" height="6" \
            patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/>\
            <rect class="hatch-line" width="2" height="6"/></pattern>
            """
        }
        return "<svg class=\"defs\" aria-hidden=\"true\"><defs>\(patterns)</defs></svg>"
    }
}
