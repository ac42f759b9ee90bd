import NIOCore
import Synchronization

/// How many connections may be open: more wait in the system's queue until one is closed.
final class ConnectionSlots: Sendable {
    private struct State {
        var open = 0
        var waiting: (@Sendable () -> Void)?
    }

    private let most: Int
    private let state = Mutex(State())

    init(_ most: Int) { self.most = most }

    func take(_ channel: any Channel) {
        state.withLock { $0.open += 1 }
        channel.closeFuture.whenComplete { [self] _ in
            let wake = state.withLock { state in
                state.open -= 1
                defer { state.waiting = nil }
                return state.waiting
            }
            wake?()
        }
    }

    /// Whether one more may come; if not, `wake` is called when it may.
    func isFree(orCall wake: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            guard state.open >= most else { return true }
            state.waiting = wake
            return false
        }
    }
}

/// Accepts connections as long as there may be more.
final class AcceptGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = Never

    private let slots: ConnectionSlots

    init(_ slots: ConnectionSlots) { self.slots = slots }

    func read(context: ChannelHandlerContext) {
        let channel = context.channel
        let isFree = slots.isFree { channel.eventLoop.execute { channel.read() } }
        if isFree { context.read() }
    }
}
