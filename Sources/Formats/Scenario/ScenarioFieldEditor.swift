/// Makes one edit to a document's tree.
struct ScenarioFieldEditor {
    /// Why an edit cannot be made: where, what, and how to write it.
    struct Refusal: Error {
        var position: Position
        var message: String
        var fix: String?
    }

    let edit: ScenarioEdit

    /// The tree with the edit made.
    ///
    /// - Parameter path: The part of the edit's path that lies in this tree.
    func applied(to root: YAMLNode, at path: String) throws(Refusal) -> YAMLNode {
        try applied(to: root, rest: path, key: "")
    }

    /// - Parameter key: The name that led to `node`.
    private func applied(to node: YAMLNode, rest: String, key: String) throws(Refusal) -> YAMLNode {
        guard !rest.isEmpty else { return try changed(node, key: key) }
        if case .scalar = node.content {
            throw Refusal(
                position: node.position,
                message: "there is no '\(shown(edit.path))': '\(shown(key))' is a single value",
                fix: "leave '.\(shown(rest))' out")
        }
        guard let (child, deeper) = ScenarioField.child(of: node, at: rest) else { return try added(rest, to: node) }
        var copy = node
        let value = try applied(to: child.node, rest: deeper, key: child.name)
        switch node.content {
        case .map(var entries):
            entries[child.index].value = value
            copy.content = .map(entries)
        case .list(var items):
            items[child.index] = value
            copy.content = .list(items)
        case .scalar, .refused: break
        }
        return copy
    }

    private func added(_ rest: String, to node: YAMLNode) throws(Refusal) -> YAMLNode {
        let names = ScenarioField.children(of: node).map(\.name)
        let first = String(rest.prefix { $0 != "." })
        guard case .set(let text) = edit.change, case .map(let entries) = node.content, !first.isEmpty else {
            var isMap = false
            if case .map = node.content { isMap = true }
            throw Refusal(
                position: node.position,
                message: "there is no '\(shown(edit.path))' in the files of the scenario: nothing here goes by "
                    + "'\(shown(first))'",
                fix: NearestName.fix("names here", first, among: names)
                    + (isMap ? "; a field that is left out has no number to change: give it a value" : ""))
        }
        var value = try parsed(text, at: node.position)
        let keys = rest.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard keys.allSatisfy({ !$0.isEmpty }) else {
            throw Refusal(
                position: node.position, message: "the path '\(shown(edit.path))' has an empty name", fix: nil)
        }
        for key in keys.dropFirst().reversed() {
            value = YAMLNode(
                content: .map([YAMLEntry(key: key, position: node.position, value: value)]), position: node.position)
        }
        return YAMLNode(
            content: .map(entries + [YAMLEntry(key: first, position: node.position, value: value)]),
            position: node.position)
    }

    private func changed(_ node: YAMLNode, key: String) throws(Refusal) -> YAMLNode {
        switch edit.change {
        case .set(let text):
            let value = try parsed(text, at: node.position)
            if key == "rate", case .map(let entries) = node.content, case .scalar = value.content {
                return try rate(value, in: node, entries)
            }
            return value
        case .scale(let factor): return try scaled(node, by: factor, key: key, isAlone: true)
        }
    }

    /// A plain rate such as `8/s` in the place of a rate: that of a constant one, whatever its scale was.
    private func rate(
        _ value: YAMLNode, in node: YAMLNode, _ entries: [YAMLEntry]
    ) throws(Refusal) -> YAMLNode {
        guard let constant = entries.first(where: { $0.key == "constant" }) else {
            let shape = entries.first { $0.key != "scale" }?.key ?? "none"
            throw Refusal(
                position: node.position,
                message: "'\(shown(edit.path))' has a shape, '\(shown(shape))', in whose place one rate would put a "
                    + "constant",
                fix: "multiply it instead, '\(shown(edit.path))=x0.5..x2' or '\(shown(edit.path))=±10%', or write "
                    + "'{constant: \(shown(edit.text))}'")
        }
        var copy = node
        copy.content = .map([YAMLEntry(key: "constant", position: constant.position, value: value)])
        return copy
    }

    /// `text` as a value: a scalar, or a list or map where it starts like one.
    private func parsed(_ text: String, at position: Position) throws(Refusal) -> YAMLNode {
        guard text.hasPrefix("{") || text.hasPrefix("[") else {
            return YAMLNode(content: .scalar(text), position: position)
        }
        let log = DiagnosticLog()
        let node = YAMLComposer.compose(Array(text.utf8), file: "", log: log)
        guard let node, !log.hasErrors else {
            throw Refusal(
                position: position, message: "'\(shown(text))' for '\(shown(edit.path))' is no YAML",
                fix: log.diagnostics.first?.message)
        }
        return moved(node, to: position)
    }

    /// The same value at another place, so that what is wrong with it is told where it was put.
    private func moved(_ node: YAMLNode, to position: Position) -> YAMLNode {
        var copy = node
        copy.position = position
        switch node.content {
        case .list(let items): copy.content = .list(items.map { moved($0, to: position) })
        case .map(let entries):
            copy.content = .map(
                entries.map { YAMLEntry(key: $0.key, position: position, value: moved($0.value, to: position)) })
        case .scalar, .refused: break
        }
        return copy
    }

    // MARK: - Numbers

    private func scaled(
        _ node: YAMLNode, by factor: Double, key: String, isAlone: Bool = false
    ) throws(Refusal) -> YAMLNode {
        var copy = node
        switch node.content {
        case .refused: return node
        case .scalar(let text):
            guard let product = ScaledText.of(text, by: factor) else {
                throw Refusal(
                    position: node.position,
                    message: "'\(shown(edit.path))' is '\(shown(text))', which is no number to multiply",
                    fix: "give it two values instead: '\(shown(edit.path))=LOW..HIGH'")
            }
            copy.content = .scalar(product)
            copy.scaled = YAMLNode.Scaled(from: text, isAlone: isAlone)
        case .list(let items):
            var products: [YAMLNode] = []
            for item in items { products.append(try scaled(item, by: factor, key: "")) }
            copy.content = .list(products)
        case .map(var entries):
            if key == "rate" {
                // A rate's numbers are not all rates: an interval is a time. Its scale multiplies what is a rate.
                if !entries.contains(where: { $0.key == "scale" }) {
                    let one = YAMLNode(content: .scalar("1"), position: node.position)
                    entries.append(YAMLEntry(key: "scale", position: node.position, value: one))
                }
                let index = entries.firstIndex { $0.key == "scale" }!
                entries[index].value = try scaled(entries[index].value, by: factor, key: "scale")
            } else {
                let bounds = ["prompt_tokens", "output_tokens"].contains(key) ? ["minimum", "maximum"] : []
                for index in entries.indices where !bounds.contains(entries[index].key) {
                    entries[index].value = try scaled(entries[index].value, by: factor, key: entries[index].key)
                }
            }
            copy.content = .map(entries)
        }
        return copy
    }
}

extension ScenarioEdit {
    /// What is put in; the factor of one that multiplies.
    fileprivate var text: String {
        switch change {
        case .set(let text): text
        case .scale(let factor): "x\(factor)"
        }
    }
}
