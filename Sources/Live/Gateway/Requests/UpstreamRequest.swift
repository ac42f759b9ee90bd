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
        /// What else the client says of its trace, as it is: W3C's `tracestate`.
        var traceState: String?
    }

    init(_ call: GatewayCall, body: UnsafeRawBufferPointer, adding additions: Additions, allocator: ByteBufferAllocator)
    {
        path = call.kind.path
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
        if let state = additions.traceState { head += "tracestate: \(state)\r\n" }
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

    /// The bytes for one try of one replica: those that all share are not copied.
    func head(for endpoint: Endpoint, trace: TraceContext, allocator: ByteBufferAllocator) -> ByteBuffer {
        let line = "POST \(path) HTTP/1.1\r\nHost: \(endpoint.authority)\r\nUser-Agent: tidegate-gateway\r\n"
        return allocator.buffer(string: line + "traceparent: \(trace.field)\r\n")
    }

    var body: ByteBuffer { rest }
}
