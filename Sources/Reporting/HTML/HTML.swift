/// A fragment of HTML in which text cannot become markup.
///
/// What is written in the source is markup; what is interpolated is text and is escaped, unless it is itself `HTML`:
///
///     let cell: HTML = "<td>\(tenant.name)</td>"     // <td>&lt;script&gt;</td>, whatever a tenant calls itself
struct HTML: Sendable, ExpressibleByStringInterpolation {
    private(set) var text: String

    init(stringLiteral value: String) { text = value }
    init(stringInterpolation interpolation: Interpolation) { text = interpolation.text }
    /// The fragments one after the other, a line each.
    init(_ parts: [HTML]) { text = parts.map(\.text).joined(separator: "\n") }
    /// Text alone, escaped.
    init(escaping text: String) { self.text = Self.escaped(text) }

    static let empty: HTML = ""
    static func + (a: HTML, b: HTML) -> HTML { "\(a)\(b)" }
    static func += (a: inout HTML, b: HTML) { a.text += b.text }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }
        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ html: HTML) { text += html.text }
        mutating func appendInterpolation(_ parts: [HTML]) { text += HTML(parts).text }
        mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }
        mutating func appendInterpolation(_ value: Int) { text += String(value) }
        /// A coordinate of a drawing, to a tenth of a unit.
        mutating func appendInterpolation(_ value: Double) { text += coordinate(value) }
    }

    /// Characters that HTML gives a meaning become references; those it forbids become U+FFFD.
    private static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\n", "\t": result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value): result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// A coordinate of a drawing: at most one decimal, the shortest way.
func coordinate(_ value: Double) -> String {
    let text = fixed(value, 1)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
