import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

@testable import Live

/// A `FakeCluster` on a port of its own.
final class FakeAPIServer: Sendable {
    let cluster: FakeCluster
    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel

    init(_ cluster: FakeCluster, tls: NIOSSLContext? = nil) async throws {
        self.cluster = cluster
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(ClusterHandler(cluster))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress!.port!
    }

    func stop() async throws {
        cluster.endWatches()
        try await channel.close()
        try await group.shutdownGracefully()
    }

    var access: ClusterAccess { ClusterAccess(host: "127.0.0.1", port: port, isTLS: false, namespace: "live") }

    /// Starts one, and stops it after `body`.
    static func with<Result>(
        _ cluster: FakeCluster, _ body: (FakeAPIServer) async throws -> Result
    ) async throws -> Result {
        let server = try await FakeAPIServer(cluster)
        do {
            let result = try await body(server)
            try await server.stop()
            return result
        } catch {
            try? await server.stop()
            throw error
        }
    }
}

private final class ClusterHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let cluster: FakeCluster
    private var head: HTTPRequestHead?
    private var body = ""
    private var listener: Int?

    init(_ cluster: FakeCluster) { self.cluster = cluster }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, body) = (head, "")
        case .body(let bytes): body += String(buffer: bytes)
        case .end:
            if let head { play(respond(to: head), context) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let listener { cluster.stopListening(listener) }
    }

    private func respond(to head: HTTPRequestHead) -> FakeCluster.Answer {
        let components = URLComponents(string: "http://x" + head.uri)!
        let query = (components.queryItems ?? []).map { ($0.name, $0.value ?? "") }
        return cluster.answer(
            method: head.method.rawValue, path: components.path, query: Dictionary(query) { $1 },
            headers: Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }) { $1 }, body: body)
    }

    private func play(_ answer: FakeCluster.Answer, _ context: ChannelHandlerContext) {
        switch answer {
        case .json(let status, let text):
            write(status, ["Content-Type": "application/json", "Content-Length": "\(text.utf8.count)"], text, context)
        case .later(let wait): write(429, ["Retry-After": wait, "Content-Length": "0"], "", context)
        case .silence: break
        case .hangUp: context.close(promise: nil)
        case .watch(let version):
            let headers: HTTPHeaders = ["Content-Type": "application/json", "Transfer-Encoding": "chunked"]
            write(.head(.init(version: .http1_1, status: .ok, headers: headers)), context)
            context.flush()
            let channel = context.channel
            listener = cluster.listen(after: version) { events in
                guard let events else {
                    channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
                    return
                }
                for event in events {
                    // In two pieces, as a network may cut them.
                    let text = event.line + "\n"
                    let middle = text.index(text.startIndex, offsetBy: text.count / 2)
                    for piece in [text[..<middle], text[middle...]] {
                        channel.writeAndFlush(
                            HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(substring: piece))), promise: nil)
                    }
                }
            }
        }
    }

    private func write(_ status: Int, _ headers: HTTPHeaders, _ text: String, _ context: ChannelHandlerContext) {
        write(.head(.init(version: .http1_1, status: .init(statusCode: status), headers: headers)), context)
        write(.body(.byteBuffer(ByteBuffer(string: text))), context)
        write(.end(nil), context)
        context.flush()
    }

    private func write(_ part: HTTPServerResponsePart, _ context: ChannelHandlerContext) {
        context.write(NIOAny(part), promise: nil)
    }
}
