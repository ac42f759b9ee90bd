import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Units

/// One request with its answer, on a connection of its own.
///
/// A controller asks an API server a few times per tick, so a connection that is kept would save little, and one that has
/// gone silently dead would cost a tick. The answer comes piece by piece, for a watch never ends by itself.
struct HTTPExchange: Sendable {
    enum Piece: Sendable {
        case head(status: Int, retryAfter: TimeSpan?)
        case body(ByteBuffer)
    }

    enum Failure: Error, Hashable {
        /// No connection: refused, no route, a certificate that is not trusted.
        case noConnection(String)
        /// The deadline came before the answer's end.
        case tooSlow(TimeSpan)
        /// The connection ended before the answer did, or what came was no HTTP.
        case broken(String)
    }

    var host: String
    var port: Int
    /// `nil` for plain HTTP.
    var tls: NIOSSLContext?
    /// Each is handed the bytes of one answer.
    typealias Pieces = AsyncThrowingStream<Piece, any Error>

    /// Sends a request.
    ///
    /// - Parameter limit: From now until the answer's last byte; then the connection is closed and the pieces end with
    ///   `.tooSlow`.
    /// - Throws: `Failure`, here or from the pieces.
    func send(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders, body: [UInt8], within limit: TimeSpan,
        on group: any EventLoopGroup
    ) async throws(Failure) -> Pieces {
        let (pieces, continuation) = Pieces.makeStream()
        let start = MonotonicTime.now
        let connectLimit = min(limit, .seconds(5))
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(.nanoseconds(connectLimit.nanoseconds))
                .channelInitializer { [tls, host] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let tls {
                            // An address cannot be a server name; its certificate is then checked against the address.
                            let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
                            try pipeline.addHandler(
                                NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host))
                        }
                        try pipeline.addHTTPClientHandlers()
                        try pipeline.addHandler(PieceHandler(continuation))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            throw .noConnection(Self.describe(error))
        }
        let left = limit - (MonotonicTime.now - start)
        let timer = channel.eventLoop.scheduleTask(in: .nanoseconds(max(left.nanoseconds, 0))) {
            continuation.finish(throwing: Failure.tooSlow(limit))
            channel.close(promise: nil)
        }
        continuation.onTermination = { _ in
            timer.cancel()
            channel.close(promise: nil)
        }
        var headers = headers
        headers.add(name: "Host", value: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        headers.add(name: "Connection", value: "close")
        if !body.isEmpty { headers.add(name: "Content-Length", value: String(body.count)) }
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return pieces
    }

    /// What went wrong, without the request: its headers hold the token.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: "no connection within the time"
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { describe($0.error) } ?? "no address for \(error.host)"
        case NIOSSLError.handshakeFailed(let reason): "the TLS handshake failed: \(reason)"
        default: "\(error)"
        }
    }
}

/// Hands the pieces of one answer over.
private final class PieceHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let continuation: HTTPExchange.Pieces.Continuation

    init(_ continuation: HTTPExchange.Pieces.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let seconds = head.headers.first(name: "Retry-After").flatMap { Int64($0) }.map { min(max($0, 0), 60) }
            continuation.yield(.head(status: Int(head.status.code), retryAfter: seconds.map { .seconds($0) }))
        case .body(let bytes): continuation.yield(.body(bytes))
        case .end: continuation.finish()
        }
    }

    /// Before the end of the answer, or after it, when finishing again does nothing.
    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish(throwing: HTTPExchange.Failure.broken("the connection was closed before the answer's end"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A peer that closes without saying so in TLS has sent all it had: the end of the HTTP answer decides.
        if case NIOSSLError.uncleanShutdown = error { return }
        continuation.finish(throwing: HTTPExchange.Failure.broken(HTTPExchange.describe(error)))
        context.close(promise: nil)
    }
}
