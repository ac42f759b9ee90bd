import NIOCore
import Units

/// One connection to a replica: a request at a time, and the answer to it as it comes.
///
/// Belongs to its event loop, as the client's connection that it serves does.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pool: UpstreamPool
    private var context: ChannelHandlerContext?
    private var parser = ResponseParser()
    private var attempt: Attempt?
    private var hasBytes = false
    private(set) var freeSince = Instant.epoch
    /// Whether it has answered before: one that has may be closed by the other side at any moment.
    private var hasServed = false

    init(_ pool: UpstreamPool) { self.pool = pool }

    var isOpen: Bool { context != nil }

    /// Sends an attempt's request.
    ///
    /// - Precondition: the connection is open and free.
    func send(_ attempt: Attempt) {
        self.attempt = attempt
        attempt.connection = self
        attempt.isOnUsedConnection = hasServed
        hasBytes = false
        parser.expect()
        let request = attempt.exchange.request
        let context = context!
        context.write(
            wrapOutboundOut(
                request.head(
                    for: attempt.assignment.endpoint, trace: attempt.trace, allocator: context.channel.allocator)),
            promise: nil)
        context.writeAndFlush(wrapOutboundOut(request.body), promise: nil)
    }

    /// Ends the request under way and the connection with it: HTTP/1.1 has no other way to cancel.
    func cancel() {
        attempt = nil
        close()
    }

    func close() {
        let context = context
        self.context = nil
        pool.closed(self)
        context?.close(promise: nil)
    }

    /// Whether bytes are taken: a client that does not read must not fill the gateway's memory.
    func setReading(_ isReading: Bool) {
        guard let channel = context?.channel else { return }
        try? channel.syncOptions?.setOption(.autoRead, value: isReading)
        if isReading { channel.read() }
    }

    // MARK: - Channel

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { channelActive(context: context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        guard self.context == nil else { return }
        self.context = context
        pool.opened(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let attempt else { return close() }
        let now = MonotonicTime.now
        pool.lastByte = now
        if !hasBytes {
            hasBytes = true
            attempt.exchange.answers(attempt)
            // Another attempt may have been faster.
            guard self.attempt === attempt else { return }
        }
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            do throws(ResponseParser.Problem) {
                let isComplete = try parser.read(bytes) { piece, status in
                    attempt.exchange.receive(piece, status: status, from: attempt, at: now)
                }
                guard self.attempt === attempt else { return }
                if isComplete { complete(attempt) } else { attempt.exchange.readDone(at: now) }
            } catch {
                fail(.malformed)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let wasOpen = self.context != nil
        self.context = nil
        if wasOpen { pool.closed(self) }
        guard let attempt else { return }
        if parser.end() {
            complete(attempt)
        } else {
            fail(.closed)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func complete(_ attempt: Attempt) {
        self.attempt = nil
        hasServed = true
        let status = parser.status
        if parser.keepsAlive, context != nil {
            freeSince = MonotonicTime.now
            setReadingIfPaused(attempt)
            pool.free(self)
        } else {
            close()
        }
        attempt.exchange.complete(attempt, status: status)
    }

    private func setReadingIfPaused(_ attempt: Attempt) {
        if attempt.isPaused { setReading(true) }
    }

    private func fail(_ failure: Attempt.Failure) {
        guard let attempt else { return close() }
        self.attempt = nil
        close()
        attempt.exchange.fail(attempt, failure)
    }
}

/// One try of a request on one replica.
final class Attempt {
    enum Failure: Hashable {
        /// No connection could be made.
        case connect
        /// The connection ended before the answer did.
        case closed
        /// What came is no HTTP.
        case malformed
    }

    let exchange: Exchange
    let assignment: PoolGate.Assignment
    let began: Instant
    /// The span that the replica's own is part of.
    let trace: TraceContext
    /// Whether it was sent beside another that was silent.
    let isHedge: Bool
    weak var connection: UpstreamConnection?
    /// Given up before it had a connection.
    var isCancelled = false
    var isOnUsedConnection = false
    var isPaused = false
    /// The body of an answer that is none of what was asked for.
    var refusal: [UInt8] = []

    init(_ exchange: Exchange, _ assignment: PoolGate.Assignment, at now: Instant, isHedge: Bool) {
        (self.exchange, self.assignment, began) = (exchange, assignment, now)
        (trace, self.isHedge) = (exchange.terms.trace.child, isHedge)
    }

    func cancel() {
        isCancelled = true
        connection?.cancel()
    }
}
