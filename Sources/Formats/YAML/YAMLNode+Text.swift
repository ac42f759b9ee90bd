extension YAMLNode {
    /// The value as YAML on one line, in flow style; reads back to the same node.
    var flowText: String {
        switch content {
        case .refused: return "~"
        case .list(let items): return "[" + items.map(\.flowText).joined(separator: ", ") + "]"
        case .map(let entries):
            let pairs = entries.map { "\(Self.spelled($0.key)): \($0.value.flowText)" }
            return "{" + pairs.joined(separator: ", ") + "}"
        case .scalar(let text): return Self.spelled(text)
        }
    }

    /// A scalar as it is when every reader takes it so, else in quotes.
    private static func spelled(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && text.utf8.first != UInt8(ascii: "-") && text.utf8.first != UInt8(ascii: "%")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "._-/%".utf8.contains(byte)
                }
            }
        if isPlain { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
