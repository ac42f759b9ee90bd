import NIOCore
import NIOPosix
import Synchronization
import Units

@testable import Live

/// A server in this process that answers as it is told: late, in odd pieces, wrongly or not at all.
final class OddServer: Sendable {
    /// What it does with a request, in order.
    enum Step: Sendable {
        case send(String)
        case wait(Int64)
        case close
    }

    /// A request as it came.
    struct Request: Sendable {
        var head: String
        var body: String
        /// Its number among all that the server had.
        var number: Int
    }

    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let received: Received

    private final class Received: Sendable {
        let requests = Mutex<[Request]>([])
    }

    var target: LoadTarget { get throws { try LoadTarget("http://127.0.0.1:\(port)") } }
    /// What it had so far.
    var requests: [Request] { received.requests.withLock { $0 } }

    /// - Parameter answer: What to do with a request; waits are in milliseconds.
    init(_ answer: @escaping @Sendable (Request) -> [Step]) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let received = Received()
        self.received = received
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        OddHandler { head, body in
                            let request = received.requests.withLock { requests in
                                requests.append(Request(head: head, body: body, number: requests.count))
                                return requests[requests.count - 1]
                            }
                            return answer(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress!.port!
    }

    func stop() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }

    // MARK: - Answers

    static let streamHead =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }

    static func piece(_ text: String) -> String {
        chunk("data: {\"choices\":[{\"index\":0,\"text\":\"\(text)\",\"finish_reason\":null}]}\n\n")
    }

    static func usage(prompt: Int, output: Int, cached: Int? = nil) -> String {
        let details = cached.map { ",\"prompt_tokens_details\":{\"cached_tokens\":\($0)}" } ?? ""
        return chunk(
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":\(prompt)\(details),"
                + "\"completion_tokens\":\(output)}}\n\n")
    }

    static let end = chunk("data: [DONE]\n\n") + "0\r\n\r\n"

    static func plain(_ status: String, _ body: String) -> [Step] {
        [.send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")]
    }

    /// A whole answer in one piece.
    static func answer(prompt: Int = 4, output: Int = 2, cached: Int? = nil) -> [Step] {
        [.send(streamHead + piece(" a") + piece(" b") + usage(prompt: prompt, output: output, cached: cached) + end)]
    }
}

/// Collects a request, and plays the answer to it.
private final class OddHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: (String, String) -> [OddServer.Step]
    private var text = ""

    init(_ answer: @escaping (String, String) -> [OddServer.Step]) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        guard let end = text.range(of: "\r\n\r\n") else { return }
        let head = String(text[..<end.lowerBound])
        let length = head.split(whereSeparator: \.isNewline).first { $0.hasPrefix("Content-Length: ") }
        let body = String(text[end.upperBound...])
        guard body.utf8.count >= length.flatMap({ Int($0.dropFirst(16)) }) ?? 0 else { return }
        text = ""
        play(answer(head, body)[...], context)
    }

    private func play(_ steps: ArraySlice<OddServer.Step>, _ context: ChannelHandlerContext) {
        guard let step = steps.first else { return }
        switch step {
        case .send(let text): context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        case .close: context.close(promise: nil)
        case .wait(let milliseconds):
            let rest = steps.dropFirst()
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) {
                self.play(rest, context)
            }
            return
        }
        play(steps.dropFirst(), context)
    }
}
