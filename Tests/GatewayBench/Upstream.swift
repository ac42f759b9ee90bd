import Glibc
import Live
import NIOCore
import NIOPosix

/// Nanoseconds of the clock that never jumps.
func nanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// A worker in this process that computes nothing: it answers at once, or streams pieces at an even rate, each with the
/// moment at which it was written. It listens on loopback and at a Unix socket.
final class Upstream: Sendable {
    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channels: [any Channel]

    /// - Parameters:
    ///   - pieces: Of a stream.
    ///   - gap: Nanoseconds between two pieces of a stream.
    ///   - socket: The path of the Unix socket.
    ///   - tls: With it, only gateways and controllers may connect, by mutual TLS.
    init(pieces: Int, gap: Int64, socket: String, tls: TLSMaterial?) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let schedule = try await loop.submit { NIOLoopBound(Schedule(loop, pieces: pieces, gap: gap), eventLoop: loop) }
            .get()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            // Passed over at the Unix socket.
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addMutualTLSServer(tls, allowed: [.gateway, .controller]) {
                            refusal, _ in fatalError("\(refusal)")
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(UpstreamHandler(schedule.value))
                }
            }
        channels = [
            try await bootstrap.bind(host: "127.0.0.1", port: 0).get(),
            try await bootstrap.bind(unixDomainSocketPath: socket).get(),
        ]
        port = channels[0].localAddress!.port!
    }

    func stop() async throws {
        for channel in channels { try await channel.close() }
        try await group.shutdownGracefully()
    }

    static let answer: String = {
        let body =
            #"{"id":"cmpl-0123456789abcdef","object":"text_completion","created":1764115200,"model":"chat","choices":["#
            + #"{"index":0,"text":" the tide at the gate turns","logprobs":null,"finish_reason":"length"}],"#
            + #""usage":{"prompt_tokens":8,"completion_tokens":8,"total_tokens":16}}"#
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }()

    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    /// A piece as engines write it, with the time in its text: 16 digits.
    static let piece = Array(
        chunk(
            #"data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1764115200,"#
                + #""model":"chat","choices":[{"index":0,"delta":{"content":" T=0000000000000000;"},"logprobs":null,"#
                + #""finish_reason":null}],"usage":null}"# + "\n\n"
        ).utf8)
    private static let timeEnd = piece.firstIndex(of: UInt8(ascii: ";"))!

    /// Writes a time into a piece: the worker's own work must not be what is measured.
    static func set(_ now: Int64, in piece: inout [UInt8]) {
        var rest = now
        for place in 1...16 {
            piece[timeEnd - place] = UInt8(0x30 + rest % 10)
            rest /= 10
        }
    }

    static func end(pieces: Int) -> String {
        chunk(
            #"data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1764115200,"#
                + #""model":"chat","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":\#(pieces),"total_tokens":8}}"#
                + "\n\n") + chunk("data: [DONE]\n\n") + "0\r\n\r\n"
    }
}

/// Streams in slots of a millisecond each: every stream has its piece when its slot comes round.
private final class Schedule {
    private let loop: any EventLoop
    private let pieces: Int
    private var slots: [[UpstreamHandler]]
    private var next = 0
    private var due = nanoseconds()

    init(_ loop: any EventLoop, pieces: Int, gap: Int64) {
        (self.loop, self.pieces) = (loop, pieces)
        slots = Array(repeating: [], count: max(1, Int(gap / 1_000_000)))
        wait()
    }

    func add(_ handler: UpstreamHandler) {
        // Spread evenly, whenever streams begin.
        let slot = slots.indices.min { slots[$0].count < slots[$1].count }!
        slots[slot].append(handler)
    }

    private func wait() {
        due += 1_000_000
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(UInt64(due))) {
            self.play()
            self.wait()
        }
    }

    private func play() {
        let slot = next % slots.count
        next += 1
        slots[slot].removeAll { !$0.writePiece(of: pieces) }
    }
}

private final class UpstreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let schedule: Schedule
    private var context: ChannelHandlerContext?
    private var written = 0
    private var text: [UInt8] = []
    private var piece = Upstream.piece

    init(_ schedule: Schedule) { self.schedule = schedule }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func channelInactive(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += Array(buffer: unwrapInboundIn(data))
        // Requests of this benchmark end with their object.
        guard text.last == UInt8(ascii: "}") else { return }
        let isStream = String(decoding: text, as: UTF8.self).contains("\"stream\":true")
        text.removeAll(keepingCapacity: true)
        guard isStream else { return write(Upstream.answer, context) }
        written = 0
        context.write(NIOAny(context.channel.allocator.buffer(string: Upstream.head)), promise: nil)
        _ = writePiece(of: Int.max)
        schedule.add(self)
    }

    /// - Returns: Whether more are to come.
    func writePiece(of pieces: Int) -> Bool {
        guard let context else { return false }
        written += 1
        guard written <= pieces else {
            write(Upstream.end(pieces: pieces), context)
            return false
        }
        Upstream.set(nanoseconds(), in: &piece)
        context.writeAndFlush(NIOAny(context.channel.allocator.buffer(bytes: piece)), promise: nil)
        return true
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(context.channel.allocator.buffer(string: text)), promise: nil)
    }
}
