import NIOCore
import NIOPosix
import Units

/// One call with one answer, on a connection of its own: for what is asked before a load.
enum PlainCall {
    struct Answer: Hashable, Sendable {
        var status: Int
        var body: String
    }

    /// Bytes of an answer that are kept.
    fileprivate static let bodyLimit = 1 << 20

    /// Sends `bytes` and waits for the whole answer.
    ///
    /// - Parameter tls: For a server that wants mutual TLS, with the role that it must have.
    /// - Throws: A `LoadError` when there is no answer within the time.
    static func send(
        _ bytes: ByteBuffer, to target: SocketAddress, on loop: any EventLoop, within limit: TimeSpan,
        tls: (material: TLSMaterial, server: PeerRole)? = nil
    ) async throws(LoadError) -> Answer {
        let promise = loop.makePromise(of: Answer.self)
        do {
            let channel = try await ClientBootstrap(group: loop)
                .connectTimeout(.nanoseconds(limit.nanoseconds))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let tls { try pipeline.addMutualTLSClient(tls.material, server: tls.server) { _, _ in } }
                        try pipeline.addHandler(AnswerHandler(promise))
                    }
                }
                .connect(to: target).get()
            let timer = loop.scheduleTask(in: .nanoseconds(limit.nanoseconds)) {
                promise.fail(LoadError("no answer within \(limit)"))
            }
            channel.writeAndFlush(bytes, promise: nil)
            defer {
                timer.cancel()
                channel.close(promise: nil)
            }
            return try await promise.futureResult.get()
        } catch let error as LoadError {
            throw error
        } catch {
            promise.fail(error)
            throw LoadError(describe(error))
        }
    }

    private static func describe(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        if let error = error as? ChannelError, case .connectTimeout = error { return "no connection within the time" }
        return "\(error)"
    }
}

/// Puts the pieces of an answer together.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<PlainCall.Answer>
    private var parser = ResponseParser()
    private var body: [UInt8] = []

    init(_ promise: EventLoopPromise<PlainCall.Answer>) {
        self.promise = promise
        parser.expect()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            do throws(ResponseParser.Problem) {
                let isComplete = try parser.read(bytes) { piece, _ in
                    if body.count + piece.count <= PlainCall.bodyLimit { body.append(contentsOf: piece) }
                }
                if isComplete { succeed() }
            } catch {
                promise.fail(LoadError("what answers there speaks no HTTP/1.1"))
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if parser.end() { succeed() } else { promise.fail(LoadError("the connection was closed without an answer")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail((error as? PeerRefusal).map { LoadError("the server was refused: \($0)") } ?? error)
    }

    private func succeed() {
        promise.succeed(.init(status: parser.status, body: String(decoding: body, as: UTF8.self)))
    }
}
