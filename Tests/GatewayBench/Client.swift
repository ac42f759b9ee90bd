import Glibc
import NIOCore
import NIOPosix

/// What clients have seen.
final class Tally {
    var completed = 0
    var failed = 0
    var pieces = 0
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
    private var hasFirst = false
    private var mark = Mark.text
    private var last: UInt64 = 0
    private var isDone = false
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
        hasFirst = false
        sent = nanoseconds()
        context.writeAndFlush(NIOAny(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = nanoseconds()
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            if isStream { readStream(bytes, now) } else { readAnswer(bytes, now) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if isBusy { tally.failed += 1 }
    }

    /// Takes the bytes one by one, because marks may come in two reads: `T=` digits `;`, and `[DONE]` with the last chunk.
    private func readStream(_ bytes: UnsafeRawBufferPointer, _ now: Int64) {
        for byte in bytes {
            switch (mark, byte) {
            case (.text, UInt8(ascii: "T")): mark = .letter
            case (.letter, UInt8(ascii: "=")): mark = .time(0)
            case (.time(let value), 0x30...0x39): mark = .time(value * 10 + Int64(byte - 0x30))
            case (.time(let value), _):
                note(now - value, now)
                mark = .text
            case (.text, UInt8(ascii: "[")): mark = .bracket
            case (.bracket, UInt8(ascii: "D")): isDone = true
            default: mark = .text
            }
            last = last << 8 | UInt64(byte)
        }
        // 0 CR LF CR LF
        if isDone, last & 0xFF_FFFF_FFFF == 0x30_0D0A_0D0A { over(now) }
    }

    private enum Mark {
        case text, letter
        case time(Int64)
        case bracket
    }

    private func note(_ delay: Int64, _ now: Int64) {
        guard tally.isCounting else { return }
        tally.pieces += 1
        tally.delays.append((Int32(clamping: delay), now))
        if !hasFirst {
            hasFirst = true
            tally.firsts.append((Int32(clamping: now - sent), now))
        }
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
        isDone = false
        if tally.isCounting { tally.completed += 1 }
        if isEndless { send() }
    }
}
