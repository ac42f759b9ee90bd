import Collections
import Formats
import NIOCore
import NIOHTTP1
import Units

/// A client's connection: requests come one after the other, each is answered before the next is looked at.
///
/// Answers are written as bytes: what the encoder of a library would build for each piece of a stream is a few bytes that
/// are known.
final class ClientConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Between requests, since then.
        case idle(since: Instant)
        /// A head has come, and its body is coming.
        case receiving(GatewayRequestHead, since: Instant)
        /// Answered before its end had come: the rest is thrown away.
        case discarding(since: Instant)
        /// An answer is under way.
        case answering(Exchange)
        case closed
    }

    private let loop: GatewayLoop
    private var context: ChannelHandlerContext?
    private var state: State
    private var body: ByteBuffer?
    private var bodyBytes = 0
    private var keepsAlive = true
    private var isChunked = true
    /// Whether the client wants no more than a head.
    private var isHeadOnly = false
    /// Parts that came before their turn.
    private var queued: Deque<HTTPServerRequestPart> = []
    private var isReadWanted = false
    private var isServing = false
    private(set) var isWritable = true
    /// Since when the client takes nothing.
    private var stuckSince: Instant?
    private var hasInputEnded = false
    /// The key shown last, and whose it is: clients show the same again and again.
    private var known: (authorization: String, tenant: Int)?

    init(_ loop: GatewayLoop) {
        self.loop = loop
        state = .idle(since: MonotonicTime.now)
    }

    private var core: GatewayCore { loop.core }
    private var limits: GatewayLimits { core.configuration.settings.limits }

    // MARK: - Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { left() }

    func channelInactive(context: ChannelHandlerContext) {
        left()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that closes its sending side counts as gone, as with the servers that clients of this API know.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { close() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        stuckSince = isWritable ? nil : MonotonicTime.now
        if isWritable, case .answering(let exchange) = state { exchange.resume() }
        context.fireChannelWritabilityChanged()
    }

    /// Nothing more is read while parts wait for their turn, so that a client cannot fill the memory.
    func read(context: ChannelHandlerContext) {
        if queued.isEmpty { context.read() } else { isReadWanted = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError || error is NIOHTTPDecoderError else { return close() }
        switch state {
        case .idle, .receiving:
            core.countInvalid()
            keepsAlive = false
            state = .discarding(since: MonotonicTime.now)
            send(error: Self.describe(error))
            close(flushing: true)
        case .discarding, .answering, .closed: close()
        }
    }

    private static func describe(_ error: any Error) -> APIError {
        if case HTTPParserError.headerOverflow? = error as? HTTPParserError {
            return APIError(
                status: .init(code: 431, reasonPhrase: "Request Header Fields Too Large"),
                message: "The head is larger than may be", type: "invalid_request_error", code: "head_too_large")
        }
        return .invalid("The request is no HTTP that can be read")
    }

    private func left() {
        guard context != nil else { return }
        context = nil
        if case .answering(let exchange) = state { exchange.clientLeft() }
        state = .closed
        loop.closed(self)
    }

    func close() {
        let context = context
        left()
        context?.close(promise: nil)
    }

    /// Closes when what was written has left.
    private func close(flushing: Bool) {
        guard let context else { return }
        left()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }

    func closeIfIdle() {
        if case .idle = state { close() }
    }

    /// Ends a connection whose client is silent, too slow to ask, or too slow to take the answer.
    func checkPatience(at now: Instant) {
        if let stuckSince, now - stuckSince > limits.send { return close() }
        switch state {
        case .idle(let since): if now - since > limits.idle { close() }
        case .receiving(_, let since), .discarding(let since):
            if now - since > limits.receive { close() }
        case .answering, .closed: break
        }
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        queued.append(unwrapInboundIn(data))
        serve()
    }

    /// Takes parts as long as it is their turn.
    private func serve() {
        guard !isServing else { return }
        isServing = true
        defer { isServing = false }
        while !queued.isEmpty {
            if case .answering = state { return }
            if case .closed = state { return queued.removeAll() }
            switch queued.removeFirst() {
            case .head(let head): begin(head)
            case .body(let piece): take(piece)
            case .end: end()
            }
        }
        if isReadWanted {
            isReadWanted = false
            context?.read()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        keepsAlive = head.isKeepAlive && !core.isDraining
        isChunked = head.version == .http1_1
        isHeadOnly = head.method == .HEAD
        body = nil
        bodyBytes = 0
        let now = MonotonicTime.now
        do throws(APIError) {
            let request = try GatewayRequestHead(head, core: core, known: &known)
            state = .receiving(request, since: now)
            if let expected = head.headers.first(name: "expect"), expected.lowercased() == "100-continue" {
                write("HTTP/1.1 100 Continue\r\n\r\n")
            }
        } catch {
            refuse(error)
        }
    }

    private func take(_ piece: ByteBuffer) {
        bodyBytes += piece.readableBytes
        switch state {
        case .receiving:
            guard bodyBytes <= limits.bodyBytes else { return refuse(.bodyTooLarge(limit: limits.bodyBytes)) }
            var piece = piece
            if body?.writeBuffer(&piece) == nil { body = piece }
        case .discarding:
            // A client that is told of an error may send on for a while, and must get to see it.
            if bodyBytes > limits.bodyBytes + 16 << 20 { close() }
        case .idle, .answering, .closed: break
        }
    }

    private func end() {
        switch state {
        case .receiving(let head, _): answer(head)
        case .discarding: finished()
        case .idle, .answering, .closed: break
        }
    }

    /// Answers before the request has come to its end.
    private func refuse(_ error: APIError) {
        if error.status == .unauthorized { core.countUnauthorized() } else { core.countInvalid() }
        log(error)
        state = .discarding(since: MonotonicTime.now)
        send(error: error)
    }

    private func log(_ error: APIError, request: String? = nil, tenant: Int? = nil, pool: Int? = nil) {
        core.log.request { text in
            if let request { text.member("request", request) }
            if let tenant { text.member("tenant", core.configuration.tenants[tenant].name) }
            if let pool { text.member("pool", core.configuration.pools[pool].id.name) }
            text.member("status", error.status.code)
            text.member("reason", error.code ?? error.type)
        }
    }

    private func answer(_ head: GatewayRequestHead) {
        let body = body ?? ByteBuffer()
        self.body = nil
        switch head.target {
        case .health: sendJSON(Health.status(of: core), Health.text(of: core))
        case .models: sendJSON("200 OK", ModelList.text(of: core))
        case .model(let name):
            if let text = ModelList.text(of: name, core) {
                sendJSON("200 OK", text)
            } else {
                send(error: .unknownModel(name, core))
            }
        case .generate(let kind): return generate(kind, head, body)
        }
        finished()
    }

    private func generate(_ kind: GatewayCall.Kind, _ head: GatewayRequestHead, _ body: ByteBuffer) {
        let (number, name) = core.newRequest()
        var (foundTenant, foundPool): (Int?, Int?) = (head.tenant, nil)
        do throws(APIError) {
            let admission = GatewayAdmission(core, loop: loop, head: head, kind: kind, number: number, name: name)
            let exchange = try admission.admit(body, client: self, tenant: &foundTenant, pool: &foundPool)
            loop.add(exchange.exchange)
            state = .answering(exchange.exchange)
            if let assignment = exchange.assignment {
                exchange.exchange.dispatch(to: assignment, at: MonotonicTime.now)
            }
        } catch {
            log(error, request: name, tenant: foundTenant, pool: foundPool)
            ExchangeTrace.refused(
                error, head: head, kind: kind, request: name,
                tenant: foundTenant.map { core.configuration.tenants[$0].name },
                pool: foundPool.map { core.configuration.pools[$0].id.name }, core: core)
            let standing = foundTenant.flatMap { tenant in core.state.withLock { $0.accounts[tenant].standing } }
            send(error: error, request: name, standing)
            finished()
        }
    }

    /// An answer is written: the next request may come.
    private func finished() {
        guard context != nil else { return }
        guard keepsAlive else { return close(flushing: true) }
        state = .idle(since: MonotonicTime.now)
        serve()
    }

    // MARK: - Answers

    private func write(_ text: String) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
    }

    private func sendJSON(_ status: String, _ text: String) {
        write(
            ResponseText.head(
                status, type: "application/json", length: text.utf8.count, request: nil, nil, closes: !keepsAlive)
                + text)
    }

    private func send(error: APIError, request: String? = nil, _ standing: RateStanding? = nil) {
        let text = error.json
        let status = "\(error.status.code) \(error.status.reasonPhrase)"
        write(
            ResponseText.head(
                status, type: "application/json", length: text.utf8.count, request: request, standing,
                closes: !keepsAlive, more: ResponseText.fields(of: error)) + (isHeadOnly ? "" : text))
    }

    func beginStream(_ request: String, _ standing: RateStanding?) {
        guard let context else { return }
        if !isChunked { keepsAlive = false }
        let head = ResponseText.streamHead(request, standing, chunked: isChunked)
        context.write(wrapOutboundOut(context.channel.allocator.buffer(string: head)), promise: nil)
    }

    /// Digits that every chunk's size has: with a fixed number of them its place is known before its size.
    private static let sizeDigits = 6
    private static let noSize: StaticString = "000000\r\n"

    /// A buffer for a chunk of a stream, which begins with room for its size.
    func chunk(capacity: Int) -> ByteBuffer {
        var buffer = context?.channel.allocator.buffer(capacity: capacity + 32) ?? ByteBuffer()
        if isChunked { buffer.writeStaticString(Self.noSize) }
        return buffer
    }

    func send(chunk: ByteBuffer) {
        guard let context else { return }
        var chunk = chunk
        if isChunked { Self.close(&chunk) }
        context.writeAndFlush(wrapOutboundOut(chunk), promise: nil)
    }

    /// Writes a chunk's size and end.
    private static func close(_ chunk: inout ByteBuffer) {
        var size = chunk.readableBytes - sizeDigits - 2
        precondition(size < 1 << (4 * sizeDigits), "a read brings less than 16 MiB")
        for place in (0..<sizeDigits).reversed() {
            let digit = UInt8(size & 15)
            chunk.setInteger(digit < 10 ? 0x30 + digit : 0x57 + digit, at: chunk.readerIndex + place)
            size >>= 4
        }
        chunk.writeStaticString("\r\n")
    }

    /// The last bytes of a stream.
    func endStream(_ exchange: Exchange, _ bytes: [UInt8]) {
        guard let context, case .answering(let current) = state, current === exchange else { return }
        var buffer = chunk(capacity: bytes.count)
        buffer.writeBytes(bytes)
        if isChunked {
            Self.close(&buffer)
            buffer.writeStaticString("0\r\n\r\n")
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        finished()
    }

    /// A whole answer.
    func answer(_ exchange: Exchange, _ bytes: [UInt8], name: String, standing: RateStanding?) {
        guard let context, case .answering(let current) = state, current === exchange else { return }
        let head = ResponseText.head(
            "200 OK", type: "application/json", length: bytes.count, request: name, standing, closes: !keepsAlive)
        var buffer = context.channel.allocator.buffer(capacity: head.utf8.count + bytes.count)
        buffer.writeString(head)
        buffer.writeBytes(bytes)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        finished()
    }

    /// An error in place of an answer, or as the last event of a stream that has begun.
    func fail(_ exchange: Exchange, hasBegun: Bool, name: String, standing: RateStanding?, _ error: APIError) {
        guard context != nil, case .answering(let current) = state, current === exchange else { return }
        if hasBegun { return endStream(exchange, CompletionFormat.event(error)) }
        send(error: error, request: name, standing)
        finished()
    }
}
