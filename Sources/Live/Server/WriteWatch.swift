import NIOCore

/// Closes a connection whose client takes nothing of what is written: its request would run to its end for nobody, and its
/// answer stay in memory.
///
/// Looks once in `limit`, while anything waits to be sent: where not one byte left in the meantime, the client is given up.
/// A slow client takes some, and stays.
final class WriteWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let limit: TimeAmount
    /// Bytes handed to the connection so far.
    private var written = 0
    /// Of those the ones that had left it at the last look.
    private var taken = 0
    private var look: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if look == nil {
            taken = written
            schedule(context)
        }
        written += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        look?.cancel()
        look = nil
        context.fireChannelInactive()
    }

    private func schedule(_ context: ChannelHandlerContext) {
        look = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in check(context) }
    }

    private func check(_ context: ChannelHandlerContext) {
        look = nil
        let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard waiting > 0 else { return }
        guard written - waiting > taken else { return context.close(promise: nil) }
        taken = written - waiting
        schedule(context)
    }
}
