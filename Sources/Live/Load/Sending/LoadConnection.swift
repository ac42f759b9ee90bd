import NIOCore
import Units

/// One connection to the server: a request at a time, and the answer to it as it streams in.
///
/// Belongs to its event loop, as all of the sending side does.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let sender: LoadSender
    private var context: ChannelHandlerContext?
    private var parser = ResponseParser()
    private var events = EventSplitter()
    private var hasEnded = false

    /// The request under way; `nil` while the connection is free.
    private(set) var record: LoadRecord?
    /// Counts the requests that it had, so that a deadline knows whose it is.
    private(set) var serial = 0
    /// When it became free.
    private(set) var freeSince = Instant.epoch

    init(_ sender: LoadSender) { self.sender = sender }

    var isOpen: Bool { context != nil }

    // MARK: - Sending

    /// Sends a request.
    ///
    /// - Precondition: the connection is open and free.
    func send(_ request: LoadRequest, scheduled: Instant) {
        serial += 1
        record = LoadRecord(request, scheduled: scheduled)
        hasEnded = false
        parser.expect()
        events.reset()
        context!.writeAndFlush(wrapOutboundOut(request.bytes), promise: nil)
        // Read after the system has taken the bytes. A connection that broke on the way has given the record up.
        record?.sent = MonotonicTime.now
    }

    /// Ends the request under way, and the connection with it: HTTP/1.1 has no other way to cancel.
    func abandon(_ outcome: LoadOutcome) {
        finish(outcome, at: MonotonicTime.now, canContinue: false)
    }

    /// Closes a connection that is free.
    func close() {
        let context = context
        self.context = nil
        context?.close(promise: nil)
    }

    // MARK: - Channel

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { channelActive(context: context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        guard self.context == nil else { return }
        self.context = context
        freeSince = MonotonicTime.now
        sender.opened(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = MonotonicTime.now
        unwrapInboundIn(data).withUnsafeReadableBytes { read($0, at: now) }
        // Sending goes first: not even the answers that wait to be read may delay it.
        sender.sendDue()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let wasOpen = self.context != nil
        self.context = nil
        if record != nil {
            let isComplete = parser.end()
            finish(isComplete ? bodyOutcome : .closed, at: MonotonicTime.now, canContinue: false)
        } else if wasOpen {
            sender.lost(self)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: - Answers

    private func read(_ bytes: UnsafeRawBufferPointer, at now: Instant) {
        guard record != nil else {
            // What nobody asked for: an old server's last words, or no HTTP at all.
            close()
            sender.lost(self)
            return
        }
        do throws(ResponseParser.Problem) {
            let isComplete = try parser.read(bytes) { piece, status in
                // The body of an error is text for people.
                guard status == 200 else { return }
                events.read(piece) { note($0, at: now) }
            }
            if events.isOverlong { return finish(.malformed, at: now, canContinue: false) }
            if isComplete { finish(bodyOutcome, at: now, canContinue: parser.keepsAlive) }
        } catch {
            finish(.malformed, at: now, canContinue: false)
        }
    }

    /// Takes an event of the answer.
    private func note(_ data: UnsafeRawBufferPointer, at now: Instant) {
        guard let event = CompletionEvent(data) else {
            record?.outcome = .malformed
            return
        }
        if event.isToken(afterText: record!.lastToken != nil) {
            if let last = record!.lastToken { sender.gap(now - last) } else { record!.firstToken = now }
            record!.lastToken = now
            if sender.keepsTimes { record!.times.append(now) }
        } else if event.hasEmptyText, sender.keepsTimes {
            record!.emptyTimes.append(now)
        }
        if event.isError { record!.outcome = .errorEvent }
        if event.isDone { hasEnded = true }
        if let count = event.promptTokens { record!.promptTokens = count }
        if let count = event.completionTokens { record!.outputTokens = count }
        if let count = event.cachedTokens { record!.cachedTokens = count }
        if let seconds = event.serverPrefill { record!.serverPrefill = seconds }
        if let seconds = event.serverDecode { record!.serverDecode = seconds }
    }

    /// What a complete response comes to.
    private var bodyOutcome: LoadOutcome {
        guard parser.status == 200 else { return .refused }
        guard let outcome = record?.outcome, outcome == .unfinished else { return record!.outcome }
        return hasEnded ? .completed : .truncated
    }

    private func finish(_ outcome: LoadOutcome, at now: Instant, canContinue: Bool) {
        guard var record else { return }
        self.record = nil
        record.outcome = outcome
        record.status = parser.status
        record.ended = now
        freeSince = now
        let isFree = canContinue && context != nil
        if !isFree { close() }
        sender.ended(record, on: self, isFree: isFree)
    }
}
