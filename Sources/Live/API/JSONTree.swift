import InferenceCore

/// A JSON value as a client sent it. Numbers keep their text, so that no digit of a seed is lost.
enum JSONTree: Sendable {
    case null
    case bool(Bool)
    case number(Substring)
    case string(String)
    case array([JSONTree])
    /// No name comes twice.
    case object([String: JSONTree])

    /// Reads one whole text.
    ///
    /// Refused: nesting deeper than 32, a name that comes twice in an object, half of a surrogate pair, bytes that are
    /// not UTF-8, anything behind the value.
    init(_ bytes: [UInt8]) throws(JSONReader.Failure) {
        var reader = JSONReader(bytes)
        self = try JSONTree.read(&reader)
        try reader.end()
    }

    private static func read(_ reader: inout JSONReader) throws(JSONReader.Failure) -> JSONTree {
        switch try reader.peek() {
        case UInt8(ascii: "\""): return .string(try reader.string())
        case UInt8(ascii: "{"):
            var members: [String: JSONTree] = [:]
            try reader.object { (key, reader) throws(JSONReader.Failure) in
                let value = try read(&reader)
                guard members.updateValue(value, forKey: key) == nil else {
                    throw reader.failure("names '\(key.prefix(64))' twice")
                }
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONTree] = []
            try reader.array { (reader) throws(JSONReader.Failure) in elements.append(try read(&reader)) }
            return .array(elements)
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try reader.bool())
        case UInt8(ascii: "n"):
            try reader.null()
            return .null
        default:
            let text = try reader.number()
            guard isNumber(text.utf8) else { throw reader.failure("has a number that is none") }
            return .number(text)
        }
    }

    /// Whether a text is a number as JSON writes one: `-? int frac? exp?`, without a leading zero or plus.
    private static func isNumber(_ text: Substring.UTF8View) -> Bool {
        var rest = text[...]
        func digits() -> Int {
            let run = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }.count
            rest = rest.dropFirst(run)
            return run
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let leadsWithZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole == 1 || (whole > 1 && !leadsWithZero) else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if let mark = rest.first, mark | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    /// What a message calls a value of this kind.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    var integer: Int? {
        guard case .number(let text) = self else { return nil }
        // A client may write a whole number as 16.0 or 1e3.
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    var double: Double? {
        guard case .number(let text) = self, let value = Double(text), value.isFinite else { return nil }
        return value
    }
}
