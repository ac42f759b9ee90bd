internal import CYaml

/// Text that is not YAML, at the place where libyaml stopped.
struct YAMLFailure: Error {
    var position: Position?
    var message: String
    var fix: String?
}

/// libyaml's event stream over bytes that it keeps for as long as the parser needs them.
final class YAMLEvents {
    struct Event {
        enum Kind: Equatable {
            case scalar(String)
            case alias
            case listStart
            case listEnd
            case mapStart
            case mapEnd
            case streamEnd
            /// The start of the stream or the start or end of a document.
            case other
        }

        var kind: Kind
        var position: Position
        var isAnchored = false
        var isTagged = false
    }

    private var parser = yaml_parser_t()
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ source: [UInt8]) throws(YAMLFailure) {
        // With the encoding given, libyaml does not skip the mark itself.
        let source = source.starts(with: [0xEF, 0xBB, 0xBF]) ? source.dropFirst(3) : source[...]
        bytes = .allocate(capacity: max(1, source.count))
        _ = bytes.initialize(from: source)
        guard yaml_parser_initialize(&parser) == 1 else {
            preconditionFailure("libyaml could not allocate a parser")
        }
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(&parser, bytes.baseAddress, source.count)
        guard String(validating: source, as: UTF8.self) != nil else {
            throw YAMLFailure(position: .start, message: "the file is not UTF-8 text", fix: nil)
        }
        _ = try next()  // The start of the stream.
    }

    deinit {
        yaml_parser_delete(&parser)
        bytes.deallocate()
    }

    /// The next event. After the end of the stream it is not called again.
    func next() throws(YAMLFailure) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let position = Position(line: event.start_mark.line + 1, column: event.start_mark.column + 1)
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return Event(
                kind: .scalar(text), position: position, isAnchored: scalar.anchor != nil, isTagged: scalar.tag != nil)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return Event(
                kind: .listStart, position: position, isAnchored: start.anchor != nil, isTagged: start.tag != nil)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return Event(
                kind: .mapStart, position: position, isAnchored: start.anchor != nil, isTagged: start.tag != nil)
        case YAML_ALIAS_EVENT: return Event(kind: .alias, position: position, isAnchored: true)
        case YAML_SEQUENCE_END_EVENT: return Event(kind: .listEnd, position: position)
        case YAML_MAPPING_END_EVENT: return Event(kind: .mapEnd, position: position)
        case YAML_STREAM_END_EVENT: return Event(kind: .streamEnd, position: position)
        default: return Event(kind: .other, position: position)
        }
    }

    private func failure() -> YAMLFailure {
        let problem = parser.problem.map { String(cString: $0) } ?? "it cannot be read"
        guard parser.error != YAML_READER_ERROR else {
            // Only an offset is known: count the lines up to it.
            let before = bytes.prefix(min(Int(parser.problem_offset), bytes.count))
            let line = before.count { $0 == 0x0A } + 1
            let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
            return YAMLFailure(
                position: Position(line: line, column: column), message: "not text: \(problem)", fix: nil)
        }
        let mark = parser.problem_mark
        guard !problem.hasPrefix("Maximum nesting level") else {
            let limit = YAMLComposer.deepestNesting
            return YAMLFailure(
                position: Position(line: mark.line + 1, column: mark.column + 1),
                message: "nested deeper than \(limit) levels", fix: nil)
        }
        let context = parser.context.map { String(cString: $0) + ": " } ?? ""
        return YAMLFailure(
            position: Position(line: mark.line + 1, column: mark.column + 1), message: "not YAML: \(context)\(problem)",
            fix: "a value that holds ': ' or starts with one of []{}&*!|>%@` must be quoted")
    }
}
