import Glibc
import NIOCore
import NIOPosix

/// What clients have seen.
final class Tally {
    var completed = 0
    var failed = 0
    /// Nanoseconds from when a piece was written upstream to when it was here, and that moment.
    var delays: [(span: Int32, at: Int64)] = []
    /// From when a request was sent to its first piece, or its answer.
    var firsts: [(span: Int32, at: Int64)] = []
    var isCounting = true
}

/// A client that sends one request after the other on one connection.
final class Client: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let tally: Tally
    private let request: ByteBuffer
    private let isStream: Bool
    private let isEndless: Bool
    private var context: ChannelHandlerContext?
    private var sent: Int64 = 0
    private var received: [UInt8] = []
    private var reader = StreamReader()
    private(set) var isBusy = false

    init(_ tally: Tally, request: ByteBuffer, isStream: Bool, isEndless: Bool) {
        (self.tally, self.request, self.isStream, self.isEndless) = (tally, request, isStream, isEndless)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        if isEndless { send() }
    }

    func send() {
        guard let context else { return }
        isBusy = true
        sent = nanoseconds()
        reader = StreamReader(sent: sent)
        context.writeAndFlush(NIOAny(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = nanoseconds()
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            guard isStream else { return readAnswer(bytes, now) }
            if reader.read(bytes, now, tally) { over(now) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if isBusy { tally.failed += 1 }
    }

    private func readAnswer(_ bytes: UnsafeRawBufferPointer, _ now: Int64) {
        received.append(contentsOf: bytes)
        guard received.last == UInt8(ascii: "}") else { return }
        if !received.starts(with: "HTTP/1.1 200".utf8) { tally.failed += 1 }
        if tally.isCounting { tally.firsts.append((Int32(clamping: now - sent), now)) }
        over(now)
    }

    private func over(_ now: Int64) {
        received.removeAll(keepingCapacity: true)
        isBusy = false
        if tally.isCounting { tally.completed += 1 }
        if isEndless { send() }
    }
}
