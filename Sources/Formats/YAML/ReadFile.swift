/// A file being read: the name its problems are told under, and where to tell them.
struct ReadFile {
    /// As the user would name it.
    let name: String
    let log: DiagnosticLog

    func error(_ position: Position?, _ message: String, fix: String? = nil) {
        log.error(name, position, message, fix: fix)
    }

    func warning(_ position: Position?, _ message: String, fix: String? = nil) {
        log.warning(name, position, message, fix: fix)
    }

    /// A single value as `schema` reads it.
    func scalar<Value>(_ node: YAMLNode, label: String, _ schema: ScalarSchema<Value>) -> Value? {
        switch node.content {
        case .refused: return nil
        case .list, .map:
            error(node.position, "\(label) is \(node.kind)", fix: "write a single value")
            return nil
        case .scalar(let written):
            var text = written
            if schema.isWhole, let scaled = node.scaled {
                guard let whole = wholeMultiple(scaled, product: written, at: node.position, label: label) else {
                    return nil
                }
                text = whole
            }
            switch schema.read(text) {
            case .success(let value): return value
            case .failure(let refusal):
                error(node.position, "\(label) '\(shown(text))' \(refusal.reason)", fix: refusal.fix)
                return nil
            }
        }
    }

    /// The whole number nearest to a multiple; `nil`, with an error, when the change is lost in the rounding.
    func wholeMultiple(
        _ scaled: YAMLNode.Scaled, product: String, at position: Position, label: String
    ) -> String? {
        guard let whole = ScaledText.whole(product) else { return product }
        guard scaled.isAlone, ScaledText.of(scaled.from, by: 1) == whole else { return whole }
        error(
            position, "\(label) '\(shown(scaled.from))' is a whole number, which so small a change leaves as it is",
            fix: "change it by more, or give it two values: PATH=LOW..HIGH")
        return nil
    }

    /// A list's items; empty, with an error, when the node is none.
    func list(_ node: YAMLNode, label: String) -> [YAMLNode] {
        switch node.content {
        case .list(let items): return items
        case .refused: return []
        case .scalar, .map:
            error(node.position, "\(label) is \(node.kind)", fix: "write a list: [a, b] or lines that start with '- '")
            return []
        }
    }

    /// A map, read by `body` and then checked for unknown keys.
    func map<Value>(_ node: YAMLNode, what: String, _ body: (MapReader) -> Value?) -> Value? {
        let reader = MapReader(node, what: what, in: self)
        guard reader.isUsable else { return nil }
        defer { reader.finish() }
        return body(reader)
    }

    /// The value that goes by `name`, with the nearest name in the error when there is none.
    func lookUp<Value>(
        _ name: String, at position: Position, label: String, list: String, among values: [(name: String, value: Value)]
    ) -> Value? {
        if let found = values.first(where: { $0.name == name }) { return found.value }
        error(
            position, "\(label) '\(shown(name))' does not exist",
            fix: NearestName.fix(list, name, among: values.map(\.name)))
        return nil
    }

    /// A map with exactly one key that says what kind of thing its value describes: `{gamma: {cv: 1.1}}`.
    func variant(_ node: YAMLNode, label: String, kinds: [String]) -> YAMLEntry? {
        switch node.content {
        case .refused: return nil
        case .map(let entries) where entries.count == 1:
            guard kinds.contains(entries[0].key) else {
                error(
                    entries[0].position, "\(label) '\(shown(entries[0].key))' does not exist",
                    fix: NearestName.fix("choices", entries[0].key, among: kinds))
                return nil
            }
            return entries[0]
        default:
            error(
                node.position, "\(label) is not a map with one of its kinds",
                fix: "write one of \(kinds.map { "{\($0): …}" }.joined(separator: ", "))")
            return nil
        }
    }
}

/// Text for a message: control characters as escapes, cut after `limit` characters.
func shown(_ text: String, limit: Int = 60) -> String {
    let head = text.unicodeScalars.prefix(limit).map { scalar in
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return head.joined() + (text.unicodeScalars.count > limit ? "…" : "")
}
