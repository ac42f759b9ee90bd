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
    /// The last bytes that were read.
    private var last: UInt64 = 0
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

    /// Looks for the times of pieces, `T=` and 16 digits: in what was read as it lies in memory where it ends with a chunk, as
    /// nearly always, and put together where it does not.
    private func readStream(_ bytes: UnsafeRawBufferPointer, _ now: Int64) {
        for byte in bytes.suffix(5) { last = last << 8 | UInt64(byte) }
        if received.isEmpty, last & 0xFFFF == 0x0D0A {
            noteTimes(in: bytes, now)
        } else {
            received.append(contentsOf: bytes)
            guard last & 0xFFFF == 0x0D0A else { return }
            received.withUnsafeBytes { noteTimes(in: $0, now) }
            received.removeAll(keepingCapacity: true)
        }
        // 0 CR LF CR LF
        if last & 0xFF_FFFF_FFFF == 0x30_0D0A_0D0A { over(now) }
    }

    private func noteTimes(in bytes: UnsafeRawBufferPointer, _ now: Int64) {
        guard let start = bytes.baseAddress else { return }
        var position = 1
        while position < bytes.count, let found = memchr(start + position, 0x3D, bytes.count - position) {
            position = UnsafeRawPointer(found) - start + 1
            guard bytes[position - 2] == UInt8(ascii: "T"), position + 16 <= bytes.count else { continue }
            note(now - bytes[position..<(position + 16)].reduce(0) { $0 * 10 + Int64($1 - 0x30) }, now)
        }
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
        if tally.isCounting { tally.completed += 1 }
        if isEndless { send() }
    }
}
