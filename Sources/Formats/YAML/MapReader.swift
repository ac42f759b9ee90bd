/// Reads the keys of one map: each problem is told in the log and reading goes on, so that a file yields all of them.
///
///     let pool = MapReader(node, what: "pool", in: file)
///     let profile = pool.required("profile", .text)
///     let deadline = pool.optional("drain_deadline", .duration, default: .minutes(5))
///     pool.finish()    // Every key that was not asked for is a mistake.
///
/// A value that is absent or wrong comes back as `nil`, and the caller drops what it cannot build: the log says why.
final class MapReader {
    /// What the map describes, in a message: `pool 'chat'`.
    var what: String
    let position: Position
    let file: ReadFile
    private let entries: [YAMLEntry]
    private var asked: [String] = []
    /// Whether the node is a map at all; if not, the log says so and every key stays silent.
    let isUsable: Bool

    init(_ node: YAMLNode, what: String, in file: ReadFile) {
        self.what = what
        self.file = file
        position = node.position
        switch node.content {
        case .map(let entries):
            self.entries = entries
            isUsable = true
        case .refused:
            entries = []
            isUsable = false
        case .scalar, .list:
            entries = []
            isUsable = false
            file.error(node.position, "\(what) is \(node.kind)", fix: "write a map of keys and values")
        }
    }

    /// A map without a key, for one that was left out: everything in it has its default.
    static func empty(in file: ReadFile, at position: Position) -> MapReader {
        MapReader(YAMLNode(content: .map([]), position: position), what: "map", in: file)
    }

    /// The value of `key`; asking makes the key known.
    func node(_ key: String) -> YAMLNode? {
        if !asked.contains(key) { asked.append(key) }
        return entries.first { $0.key == key }?.value
    }

    /// Where the value of `key` is, or the map when it has none.
    func position(of key: String) -> Position { entries.first { $0.key == key }?.value.position ?? position }

    func has(_ key: String) -> Bool { node(key) != nil }

    /// All keys with their values, for maps whose keys are the user's own names.
    var allEntries: [YAMLEntry] {
        asked.append(contentsOf: entries.map(\.key))
        return entries
    }

    /// The value of a key that may be left out.
    func optional<Value>(_ key: String, _ schema: ScalarSchema<Value>) -> Value? {
        node(key).flatMap { file.scalar($0, label: label(key), schema) }
    }

    func optional<Value>(_ key: String, _ schema: ScalarSchema<Value>, default value: Value) -> Value {
        optional(key, schema) ?? value
    }

    /// The value of a key that must be there.
    func required<Value>(_ key: String, _ schema: ScalarSchema<Value>, example: String) -> Value? {
        guard let node = requiredNode(key, example: example) else { return nil }
        return file.scalar(node, label: label(key), schema)
    }

    func requiredNode(_ key: String, example: String) -> YAMLNode? {
        if let node = node(key) { return node }
        if isUsable { file.error(position, "\(what) has no '\(key)'", fix: "add for example '\(key): \(example)'") }
        return nil
    }

    /// A word of a fixed set.
    func choice<Value>(_ key: String, _ values: [(name: String, value: Value)], default value: Value) -> Value {
        choice(key, values) ?? value
    }

    func choice<Value>(_ key: String, _ values: [(name: String, value: Value)]) -> Value? {
        guard let node = node(key), let name = file.scalar(node, label: label(key), .text) else { return nil }
        return file.lookUp(name, at: node.position, label: label(key), list: "choices", among: values)
    }

    /// The map under `key`, read by `body` and then checked for unknown keys.
    func map<Value>(_ key: String, what: String? = nil, _ body: (MapReader) -> Value?) -> Value? {
        node(key).flatMap { file.map($0, what: what ?? label(key), body) }
    }

    /// The map under a key that must be there.
    func requiredMap<Value>(_ key: String, example: String, _ body: (MapReader) -> Value?) -> Value? {
        requiredNode(key, example: example).flatMap { file.map($0, what: label(key), body) }
    }

    /// The items of the list under `key`; empty when it is absent or no list.
    func list(_ key: String) -> [YAMLNode] { node(key).map { file.list($0, label: label(key)) } ?? [] }

    /// Tells every key that nobody asked for.
    func finish() {
        for entry in entries where !asked.contains(entry.key) {
            file.error(
                entry.position, "\(what) has no key '\(entry.key)'",
                fix: NearestName.fix("keys", entry.key, among: asked))
        }
    }

    private func label(_ key: String) -> String { key.split(separator: "_").joined(separator: " ") }
}
