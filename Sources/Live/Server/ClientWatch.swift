import NIOCore
import NIOHTTPTypes
import Synchronization

/// Whether a connection's client is still there, and what to do when it goes.
final class ClientPresence: Sendable {
    private struct State {
        var isGone = false
        var action: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    var isGone: Bool { state.withLock(\.isGone) }

    /// Runs `action` when the client goes, or at once when it has gone. Takes the place of an earlier one.
    func onGone(_ action: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            state.action = state.isGone ? nil : action
            return state.isGone
        }
        if isGone { action() }
    }

    /// The request that waited is answered.
    func forget() { state.withLock { $0.action = nil } }

    func leave() {
        let action = state.withLock { state in
            defer { state = State(isGone: true, action: nil) }
            return state.action
        }
        action?()
    }
}

/// Sees a client go while its request waits or streams, and one that sends a body without end.
///
/// A client that closes its sending side counts as gone, as with the servers that the public API's clients are used to:
/// an HTTP client closes when it has lost interest, not when it has finished asking.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    let presence = ClientPresence()
    /// Bytes of one body after which the connection is closed: an answer has been sent long before.
    private let bodyLimit: Int
    private var bodyBytes = 0
    private let writeLimit: TimeAmount

    init(bodyLimit: Int, writeLimit: TimeAmount) {
        self.bodyLimit = bodyLimit
        self.writeLimit = writeLimit
    }

    /// Below what makes bytes of parts, where a connection's bytes are counted.
    func handlerAdded(context: ChannelHandlerContext) {
        // Added on the connection's loop; fails only where the connection is gone already.
        try? context.pipeline.syncOperations.addHandler(WriteWatch(limit: writeLimit), position: .first)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: bodyBytes = 0
        case .body(let buffer):
            bodyBytes += buffer.readableBytes
            guard bodyBytes <= bodyLimit else {
                context.close(promise: nil)
                return
            }
        case .end: break
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        presence.leave()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { presence.leave() }
        context.fireUserInboundEventTriggered(event)
    }
}
