internal import CYaml

/// Builds the tree of one YAML document, within bounds that no hostile file can pass.
///
/// It reads libyaml's events itself rather than Yams' nodes, because those stop at the first repeated key, place it at
/// its first use, resolve aliases silently and recurse as deep as the file asks. Here every repeated key, anchor, alias
/// and tag is told at its place, and the rest of the file is still read.
struct YAMLComposer {
    /// A larger file is refused before it is read.
    static let largestFile = 1 << 20
    static let deepestNesting = 32
    static let mostNodes = 100_000

    private let file: String
    private let log: DiagnosticLog
    private let events: YAMLEvents
    private var nodes = 0

    /// The root of the document in `bytes`; `nil` when it could not be read to its end, which is then in the log.
    static func compose(_ bytes: [UInt8], file: String, log: DiagnosticLog) -> YAMLNode? {
        do {
            var composer = YAMLComposer(file: file, log: log, events: try YAMLEvents(bytes))
            return try composer.document()
        } catch {
            log.error(file, error.position, error.message, fix: error.fix)
            return nil
        }
    }

    private init(file: String, log: DiagnosticLog, events: YAMLEvents) {
        self.file = file
        self.log = log
        self.events = events
    }

    private mutating func document() throws(YAMLFailure) -> YAMLNode {
        let first = try events.next()
        guard first.kind != .streamEnd else {
            throw YAMLFailure(position: .start, message: "the file is empty", fix: nil)
        }
        let root = try node(from: try events.next(), depth: 1)
        _ = try events.next()  // The end of the document.
        let after = try events.next()
        if after.kind != .streamEnd {
            log.error(file, after.position, "a second document starts here", fix: "write one document a file")
        }
        return root
    }

    private mutating func node(from event: YAMLEvents.Event, depth: Int) throws(YAMLFailure) -> YAMLNode {
        nodes += 1
        guard nodes <= Self.mostNodes else {
            throw YAMLFailure(position: event.position, message: "more than \(Self.mostNodes) values", fix: nil)
        }
        guard depth <= Self.deepestNesting else {
            throw YAMLFailure(
                position: event.position, message: "nested deeper than \(Self.deepestNesting) levels", fix: nil)
        }
        if event.isAnchored {
            log.error(
                file, event.position, "an anchor or an alias is not read", fix: "write the value out where it is used")
        }
        if event.isTagged {
            log.error(file, event.position, "a tag is not read", fix: "leave out the word after '!'")
        }
        switch event.kind {
        case .scalar(let text): return YAMLNode(content: .scalar(text), position: event.position)
        case .listStart: return YAMLNode(content: .list(try list(depth: depth)), position: event.position)
        case .mapStart: return YAMLNode(content: .map(try map(depth: depth)), position: event.position)
        case .alias: return YAMLNode(content: .refused, position: event.position)
        case .listEnd, .mapEnd, .streamEnd, .other: preconditionFailure("libyaml sent \(event.kind) for a value")
        }
    }

    private mutating func list(depth: Int) throws(YAMLFailure) -> [YAMLNode] {
        var items: [YAMLNode] = []
        while true {
            let event = try events.next()
            if event.kind == .listEnd { return items }
            items.append(try node(from: event, depth: depth + 1))
        }
    }

    private mutating func map(depth: Int) throws(YAMLFailure) -> [YAMLEntry] {
        var entries: [YAMLEntry] = []
        var firstUse: [String: Position] = [:]
        while true {
            let event = try events.next()
            if event.kind == .mapEnd { return entries }
            let key = try node(from: event, depth: depth + 1)
            let value = try node(from: try events.next(), depth: depth + 1)
            guard case .scalar(let name) = key.content else {
                log.error(file, key.position, "a key is \(key.kind)", fix: "write a single word before the colon")
                continue
            }
            if let first = firstUse[name] {
                log.error(
                    file, key.position, "key '\(name)' is given twice in this map; first on line \(first.line)",
                    fix: "keep one of the two")
                continue
            }
            firstUse[name] = key.position
            entries.append(YAMLEntry(key: name, position: key.position, value: value))
        }
    }
}
