import NIOCore

/// A client's request as it goes to a replica: its own members, and what the gateway says in addition.
struct UpstreamRequest: Sendable {
    /// The head from the field after `Host` on, and the body.
    private let rest: ByteBuffer
    private let path: String

    /// What the gateway adds to a call.
    struct Additions: Sendable {
        /// `nil` where what the client wrote goes on.
        var model: String?
        var cacheSalt: String
        /// Where the client leaves it open and may not have as much as the engine would give.
        var maxTokens: Int?
        /// The class's order of service.
        var priority: Int
        var request: String
        var traceparent: String
    }

    init(_ call: GatewayCall, body: UnsafeRawBufferPointer, adding additions: Additions, allocator: ByteBufferAllocator)
    {
        path =
            switch call.kind {
            case .completion: "/v1/completions"
            case .chat: "/v1/chat/completions"
            case .embedding: "/v1/embeddings"
            }
        var text = JSONText()
        text.object { text in
            text.member("cache_salt", additions.cacheSalt)
            if let model = additions.model { text.member("model", model) }
            if call.streams {
                text.key("stream_options")
                text.object { $0.member("include_usage", true) }
            }
            if let most = additions.maxTokens { text.member("max_tokens", most) }
        }
        let opening = text.bytes.dropLast()
        let kept = call.kept + (additions.model == nil ? [call.modelRange].compactMap { $0 } : [])
        let length = opening.count + kept.reduce(1) { $0 + $1.count + 1 }
        var head =
            "Content-Type: application/json\r\nContent-Length: \(length)\r\nX-Request-Id: \(additions.request)\r\n"
        head += "traceparent: \(additions.traceparent)\r\n"
        if call.streams { head += "Accept: text/event-stream\r\n" }
        if additions.priority != 0 { head += "X-Priority: \(additions.priority)\r\n" }
        head += "\r\n"
        var buffer = allocator.buffer(capacity: head.utf8.count + length)
        buffer.writeString(head)
        buffer.writeBytes(opening)
        for range in kept {
            buffer.writeInteger(UInt8(ascii: ","))
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: body[range]))
        }
        buffer.writeInteger(UInt8(ascii: "}"))
        rest = buffer
    }

    /// The bytes for one replica: those that all share are not copied.
    func head(for endpoint: Endpoint, allocator: ByteBufferAllocator) -> ByteBuffer {
        let line = "POST \(path) HTTP/1.1\r\nHost: \(endpoint.authority)\r\nUser-Agent: tidegate-gateway\r\n"
        return allocator.buffer(string: line)
    }

    var body: ByteBuffer { rest }
}

/// W3C trace context, version 00: the trace that a request belongs to.
///
/// - Source: W3C Recommendation *Trace Context*, section 3.2.
enum TraceContext {
    /// The field for what the gateway sends on: the client's trace with a span of its own, or a new trace.
    static func next(after shown: String?) -> String {
        let span = hexadecimal(.random(in: 1 ... .max), digits: 16)
        if let shown, let (trace, flags) = parse(shown) { return "00-\(trace)-\(span)-\(flags)" }
        let trace = hexadecimal(.random(in: 1 ... .max), digits: 16) + hexadecimal(.random(in: 0 ... .max), digits: 16)
        return "00-\(trace)-\(span)-00"
    }

    /// Its trace and flags; `nil` where it is none, which counts as absent.
    static func parse(_ field: String) -> (trace: Substring, flags: Substring)? {
        let parts = field.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4 || (parts.count > 4 && parts[0] != "00"), parts[0].utf8.count == 2, parts[0] != "ff",
            parts[1].utf8.count == 32, parts[2].utf8.count == 16, parts[3].utf8.count == 2,
            parts[0...3].allSatisfy({ $0.utf8.allSatisfy(isDigit) }), parts[1].contains(where: { $0 != "0" }),
            parts[2].contains(where: { $0 != "0" })
        else { return nil }
        return (parts[1], parts[3])
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
    }
}
