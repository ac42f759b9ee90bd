/// The values that a scenario's field may take in a study: those between two ends, or those of a list.
///
///     ValueRange("2/s..8/s")         // any rate between the two, the ends included
///     ValueRange("16..128")          // whole numbers, because both ends are written as such
///     ValueRange("30s..5m")          // durations
///     ValueRange("x0.5..x2")         // from half of what the field has to twice that
///     ValueRange("±10%")             // x0.9..x1.1
///     ValueRange("8,16,32")          // these texts
public enum ValueRange: Hashable, Sendable {
    /// Texts as a scenario writes them, or multiples such as `x0.5`. At least one.
    case listed([String])
    case between(Ends)

    /// What is wrong with a range, and how to write it.
    public struct Refusal: Error, Hashable, Sendable {
        public var reason: String
        public var fix: String
    }

    public init(_ text: String) throws(Refusal) {
        if text.hasPrefix("±") || text.hasPrefix("+-") {
            self = .between(try Ends(around: String(text.drop { "±+-".contains($0) })))
        } else if let dots = text.firstRange(of: ".."), !text.hasPrefix("["), !text.hasPrefix("{") {
            self = .between(try Ends(low: String(text[..<dots.lowerBound]), high: String(text[dots.upperBound...])))
        } else {
            self = .listed(try Self.list(text))
        }
    }

    /// The texts between the commas that stand in no brackets.
    private static func list(_ text: String) throws(Refusal) -> [String] {
        var (values, depth) = ([""], 0)
        for character in text {
            if "[{".contains(character) { depth += 1 }
            if "]}".contains(character) { depth -= 1 }
            if character == ",", depth == 0 { values.append("") } else { values[values.count - 1].append(character) }
        }
        values = values.map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
        guard values.allSatisfy({ !$0.isEmpty }) else {
            throw Refusal(reason: "has an empty value", fix: "write for example '8,16,32' or '8..32'")
        }
        if let twice = values.indices.first(where: { values[..<$0].contains(values[$0]) }) {
            throw Refusal(reason: "has '\(shown(values[twice]))' twice", fix: "name each value once")
        }
        return values
    }
}

extension ScenarioEdit {
    /// Puts a value of a `ValueRange` into a field: a multiple such as `x0.5` of what it has, any other text as it is.
    public init(path: String, value: String) {
        if value.hasPrefix("x"), let factor = Double(value.dropFirst()) {
            self.init(path: path, .scale(factor))
        } else {
            self.init(path: path, .set(value))
        }
    }
}
