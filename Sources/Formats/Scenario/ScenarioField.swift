/// A field of a scenario as its files have it: one value with the path that names it.
public struct ScenarioField: Hashable, Sendable {
    /// As ``ScenarioEdit`` takes it.
    public var path: String
    /// The text that is written there.
    public var value: String

    /// Something a path can go on to from a map or a list.
    struct Child {
        var name: String
        /// Place in the map or list.
        var index: Int
        var node: YAMLNode
    }

    /// The children of a node in their order; none of a single value.
    static func children(of node: YAMLNode) -> [Child] {
        switch node.content {
        case .map(let entries):
            entries.enumerated().map { Child(name: $1.key, index: $0, node: $1.value) }
        case .list(let items):
            items.enumerated().map { Child(name: itemName($1) ?? String($0), index: $0, node: $1) }
        case .scalar, .refused: []
        }
    }

    /// What an item of a list goes by; `nil` for one that has only its number.
    private static func itemName(_ item: YAMLNode) -> String? {
        guard case .map(let entries) = item.content else { return nil }
        func text(_ key: String) -> String? {
            guard case .scalar(let text)? = entries.first(where: { $0.key == key })?.value.content else { return nil }
            return text
        }
        if let name = text("name") ?? text("label") ?? text("policy") { return name }
        guard let provider = text("provider"), let instance = text("instance"), let zone = text("zone") else {
            return nil
        }
        return "\(provider)/\(instance)/\(zone)/\(text("capacity") ?? "on-demand")"
    }

    /// The child that `path` starts with, the longest that fits, and the rest of the path; `nil` when there is none.
    static func child(of node: YAMLNode, at path: some StringProtocol) -> (child: Child, rest: String)? {
        var found: (child: Child, rest: String)?
        func consider(_ child: Child, as name: String) {
            guard path == name || path.hasPrefix(name + "."), name.count > found?.child.name.count ?? -1 else { return }
            found = (child, String(path.dropFirst(name.count + 1)))
        }
        let children = children(of: node)
        for child in children { consider(child, as: child.name) }
        if found == nil, case .list = node.content {
            for child in children { consider(child, as: String(child.index)) }
        }
        return found
    }

    /// The node at `path`; `nil` where there is none.
    static func node(at path: String, in root: YAMLNode) -> YAMLNode? {
        guard !path.isEmpty else { return root }
        guard let (child, rest) = child(of: root, at: path) else { return nil }
        return node(at: rest, in: child.node)
    }

    /// Every single value below `node`, in the order of the file.
    static func all(in node: YAMLNode, under path: String) -> [ScenarioField] {
        if case .scalar(let text) = node.content { return [ScenarioField(path: path, value: text)] }
        return children(of: node).flatMap { all(in: $0.node, under: path.isEmpty ? $0.name : "\(path).\($0.name)") }
    }
}
