import InferenceCore

/// A client's call as far as a gateway must understand it: whom it is for, what it can use at most, and which members of
/// its body go on as they are.
///
/// One pass over the body, from which nothing is built: prompts stay bytes. What the model makes of the other members is
/// the worker's to judge. Members that the gateway acts on must be plain: a name twice, or in escapes that another reader
/// would see through, is refused, or the two would read different calls.
struct GatewayCall: Sendable {
    enum Kind: Hashable, Sendable {
        case completion, chat, embedding

        var path: String {
            switch self {
            case .completion: "/v1/completions"
            case .chat: "/v1/chat/completions"
            case .embedding: "/v1/embeddings"
            }
        }
    }

    let kind: Kind
    private(set) var model: String?
    /// Exact for token ids; else a token for every 4 bytes of text, rounded up for each text, and what `imageTokens` says.
    fileprivate(set) var promptTokens = 0
    fileprivate(set) var isExact = true
    private(set) var prompts = 0
    /// Bytes of text in prompts: they never have more tokens.
    fileprivate(set) var promptBytes = 0
    /// The most tokens of one answer, where the client says.
    private(set) var maxTokens: Int?
    /// Answers to each prompt that are computed.
    private(set) var answers = 1
    private(set) var streams = false
    private(set) var includesUsage = false
    private(set) var user: String?
    private(set) var cacheSalt: String?
    /// Where the members are that go on, in order.
    private(set) var kept: [Range<Int>] = []
    private(set) var modelRange: Range<Int>?

    /// What a picture counts as before the model has counted it.
    static let imageTokens = 1024

    init(_ kind: Kind, body: UnsafeRawBufferPointer) throws(APIError) {
        self.kind = kind
        var reader = GatewayCallReader(body)
        try reader.read(into: &self)
        try check()
    }

    private func check() throws(APIError) {
        if includesUsage || hasStreamOptions, !streams {
            throw .invalid("'stream_options' may only be given with 'stream': true", param: "stream_options")
        }
        let field = kind == .chat ? "messages" : kind == .embedding ? "input" : "prompt"
        guard prompts > 0 else { throw .invalid("'\(field)' is missing", param: field) }
        guard promptTokens > 0 else { throw .invalid("'\(field)' is empty", param: field) }
        if kind == .embedding, streams { throw .invalid("Embeddings are not streamed", param: "stream") }
    }

    fileprivate var hasStreamOptions = false

    // MARK: - What the reader finds

    fileprivate mutating func keep(_ range: Range<Int>) { kept.append(range) }

    fileprivate mutating func take(_ name: GatewayCallReader.Member, _ value: GatewayCallReader.Value) throws(APIError)
    {
        switch name {
        case .model: model = try value.string("model")
        case .stream: streams = try value.bool("stream") ?? false
        case .user: user = try value.string("user")
        case .cacheSalt: cacheSalt = try value.string("cache_salt")
        case .maxTokens:
            let count = try value.count("max_tokens", from: 1)
            maxTokens = maxTokens ?? count
        // The newer name counts more.
        case .maxCompletionTokens: maxTokens = try value.count("max_completion_tokens", from: 1) ?? maxTokens
        case .n: answers = max(answers, try value.count("n", from: 1) ?? 1)
        case .bestOf: answers = max(answers, try value.count("best_of", from: 1) ?? 1)
        }
    }

    fileprivate mutating func add(prompt tokens: Int, bytes: Int, isExact: Bool) {
        prompts += 1
        promptTokens += tokens
        promptBytes += bytes
        self.isExact = self.isExact && isExact
    }

    fileprivate mutating func setModelRange(_ range: Range<Int>) { modelRange = range }
    fileprivate mutating func setStreamOptions(includesUsage: Bool?) {
        hasStreamOptions = true
        self.includesUsage = includesUsage ?? false
    }
}

/// Walks over the body of a call.
private struct GatewayCallReader {
    enum Member: String, CaseIterable {
        case model, stream, user, n
        case cacheSalt = "cache_salt"
        case maxTokens = "max_tokens"
        case maxCompletionTokens = "max_completion_tokens"
        case bestOf = "best_of"
    }

    /// A small member's value, read whole.
    struct Value {
        let tree: JSONTree

        private func wrong(_ name: String, _ wanted: String) -> APIError {
            .invalid("'\(name)' must be \(wanted), not \(tree.kind)", param: name, code: "invalid_type")
        }
        func string(_ name: String) throws(APIError) -> String? {
            if case .null = tree { return nil }
            guard case .string(let text) = tree else { throw wrong(name, "a string") }
            return text
        }
        func bool(_ name: String) throws(APIError) -> Bool? {
            if case .null = tree { return nil }
            guard case .bool(let flag) = tree else { throw wrong(name, "a boolean") }
            return flag
        }
        func count(_ name: String, from least: Int) throws(APIError) -> Int? {
            if case .null = tree { return nil }
            guard let number = tree.integer else { throw wrong(name, "a whole number") }
            guard number >= least else { throw .invalid("'\(name)' is \(number), below \(least)", param: name) }
            guard number <= 1_000_000_000 else {
                throw .invalid("'\(name)' is \(number), above 1000000000", param: name)
            }
            return number
        }
    }

    private let body: UnsafeRawBufferPointer
    private var seen: [Slice<UnsafeRawBufferPointer>] = []
    private var failure: APIError?

    init(_ body: UnsafeRawBufferPointer) { self.body = body }

    mutating func read(into call: inout GatewayCall) throws(APIError) {
        var scanner = JSONScanner(body)
        var (reader, result) = (self, call)
        let isWhole = scanner.object { key, scanner in
            do throws(APIError) {
                return try reader.member(key, &scanner, &result)
            } catch {
                reader.failure = error
                return false
            }
        }
        if let failure = reader.failure { throw failure }
        guard isWhole, scanner.isAtEnd else {
            throw .invalid("The body is no JSON object that can be read: it is wrong near byte \(scanner.position)")
        }
        call = result
    }

    private mutating func member(
        _ key: JSONScanner.Key, _ scanner: inout JSONScanner, _ call: inout GatewayCall
    ) throws(APIError) -> Bool {
        let name = key.bytes
        guard !name.contains(UInt8(ascii: "\\")) else {
            throw .invalid("A member's name is written with escapes; write it plainly")
        }
        guard !seen.contains(where: { $0.count == name.count && $0.elementsEqual(name) }) else {
            throw .invalid("The body names '\(String(decoding: name.prefix(64), as: UTF8.self))' twice")
        }
        seen.append(name)
        guard seen.count <= 256 else { throw .invalid("The body has more than 256 members") }
        let start = name.startIndex - 1
        var isKept = true
        switch key {
        case "messages" where call.kind == .chat: try messages(&scanner, &call)
        case "prompt" where call.kind == .completion: try prompts(&scanner, "prompt", &call)
        case "input" where call.kind == .embedding: try prompts(&scanner, "input", &call)
        case "tools", "functions":
            let from = scanner.position
            guard scanner.skip() else { return false }
            if call.kind == .chat { call.add(definitions: scanner.position - from) }
        case "stream_options":
            isKept = false
            try streamOptions(&scanner, &call)
        case "priority":
            isKept = false
            guard scanner.skip() else { return false }
        default:
            guard let small = Member.allCases.first(where: { $0.rawValue.utf8.elementsEqual(name) }) else {
                guard scanner.skip() else { return false }
                break
            }
            try call.take(small, value(&scanner))
            if small == .cacheSalt { isKept = false }
            if small == .model {
                call.setModelRange(start..<scanner.position)
                isKept = false
            }
        }
        if isKept { call.keep(start..<scanner.position) }
        return true
    }

    private static let malformed = APIError.invalid("The body is no JSON that can be read")

    private func value(_ scanner: inout JSONScanner) throws(APIError) -> Value {
        let start = scanner.position
        guard scanner.skip() else { throw Self.malformed }
        do {
            return Value(tree: try JSONTree(Array(body[start..<scanner.position])))
        } catch {
            throw .invalid("The body is no JSON that can be read: at byte \(start + error.offset) it \(error.problem)")
        }
    }

    private func streamOptions(_ scanner: inout JSONScanner, _ call: inout GatewayCall) throws(APIError) {
        let fields: RequestFields
        switch try value(&scanner).tree {
        case .null: return
        case let tree: fields = try RequestFields(tree, at: "stream_options")
        }
        call.setStreamOptions(includesUsage: try fields.bool("include_usage"))
    }

    // MARK: - Prompts

    /// A string, an array of strings, an array of tokens, or an array of arrays of tokens.
    private func prompts(
        _ scanner: inout JSONScanner, _ name: String, _ call: inout GatewayCall
    ) throws(APIError) {
        if scanner.isNull() { return }
        if scanner.isString {
            guard let size = text(&scanner) else { throw Self.malformed }
            return call.add(text: size)
        }
        var (numbers, count, isMixed, result) = (0, 0, false, call)
        let isRead = scanner.array { scanner in
            count += 1
            if let size = text(&scanner) {
                result.add(text: size)
                return true
            }
            if scanner.isArray {
                var tokens = 0
                let isRead = scanner.array {
                    tokens += 1
                    return $0.scalar()
                }
                result.add(prompt: tokens, bytes: 0, isExact: true)
                return isRead
            }
            numbers += 1
            return scanner.scalar()
        }
        if numbers > 0, numbers != count { isMixed = true }
        guard isRead, !isMixed else {
            throw .invalid(
                "'\(name)' must be a string, an array of strings, or an array of tokens", param: name,
                code: "invalid_type")
        }
        if numbers > 0 { result.add(prompt: numbers, bytes: 0, isExact: true) }
        guard result.prompts <= 2048 else {
            throw .invalid("'\(name)' has \(result.prompts) elements, more than 2048", param: name)
        }
        call = result
    }

    /// Every message is its role and its text, as a template writes them in the simplest case.
    private func messages(_ scanner: inout JSONScanner, _ call: inout GatewayCall) throws(APIError) {
        var (bytes, images, count) = (0, 0, 0)
        let isRead = scanner.array { scanner in
            count += 1
            bytes += 3
            return scanner.object { key, scanner in
                switch key {
                case "role", "name":
                    guard let size = text(&scanner) else { return scanner.skip() }
                    bytes += size
                    return true
                case "content":
                    if let size = text(&scanner) {
                        bytes += size
                        return true
                    }
                    guard scanner.isArray else { return scanner.skip() }
                    return scanner.array { scanner in
                        guard scanner.isObject else { return scanner.skip() }
                        return scanner.object { key, scanner in
                            switch key {
                            case "text":
                                guard let size = text(&scanner) else { return scanner.skip() }
                                bytes += size
                                return true
                            case "image_url", "input_audio", "video_url", "file":
                                images += 1
                                return scanner.skip()
                            default: return scanner.skip()
                            }
                        }
                    }
                default:
                    let start = scanner.position
                    guard scanner.skip() else { return false }
                    bytes += scanner.position - start
                    return true
                }
            }
        }
        guard isRead else {
            throw .invalid("'messages' must be an array of objects", param: "messages", code: "invalid_type")
        }
        guard count > 0 else { throw .invalid("'messages' is empty", param: "messages") }
        call.add(prompt: (bytes + 3) / 4 + images * GatewayCall.imageTokens, bytes: bytes, isExact: false)
    }

    /// The bytes of a string here, its escapes undone; `nil` when something else is here.
    private func text(_ scanner: inout JSONScanner) -> Int? {
        guard scanner.isString else { return nil }
        let start = scanner.position + 1
        guard scanner.skip() else { return nil }
        let raw = UnsafeRawBufferPointer(rebasing: body[start..<(scanner.position - 1)])
        guard raw.contains(UInt8(ascii: "\\")) else { return raw.count }
        var (size, index) = (0, 0)
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\"), index + 1 < raw.count else {
                (size, index) = (size + 1, index + 1)
                continue
            }
            guard raw[index + 1] == UInt8(ascii: "u"), index + 5 < raw.count else {
                (size, index) = (size + 1, index + 2)
                continue
            }
            let code = Int(String(decoding: raw[(index + 2)..<(index + 6)], as: UTF8.self), radix: 16) ?? 0
            // Half of a surrogate pair: both together are four bytes.
            size += code < 0x80 ? 1 : code < 0x800 || (0xD800..<0xE000).contains(code) ? 2 : 3
            index += 6
        }
        return size
    }
}

extension GatewayCall {
    /// What templates write of tools is about what the client wrote.
    fileprivate mutating func add(definitions size: Int) {
        promptTokens += (size + 3) / 4
        promptBytes += size
        isExact = false
    }

    fileprivate mutating func add(text size: Int) { add(prompt: (size + 3) / 4, bytes: size, isExact: false) }
}
