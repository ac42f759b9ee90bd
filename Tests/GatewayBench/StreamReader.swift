import Glibc

/// Reads an answer that is streamed, in chunks with the times of its pieces.
struct StreamReader {
    /// When its request was sent.
    var sent: Int64 = 0
    private var hasFirst = false
    private var received: [UInt8] = []
    /// The last bytes that were read.
    private var last: UInt64 = 0

    init(sent: Int64 = 0) { self.sent = sent }

    /// Looks for the times of pieces, `T=` and 16 digits: in what was read as it lies in memory where it ends with a chunk, as
    /// nearly always, and put together where it does not.
    ///
    /// - Returns: Whether that was the end of the answer.
    mutating func read(_ bytes: UnsafeRawBufferPointer, _ now: Int64, _ tally: Tally) -> Bool {
        for byte in bytes.suffix(5) { last = last << 8 | UInt64(byte) }
        if received.isEmpty, last & 0xFFFF == 0x0D0A {
            noteTimes(in: bytes, now, tally)
        } else {
            received.append(contentsOf: bytes)
            guard last & 0xFFFF == 0x0D0A else { return false }
            let whole = received
            received.removeAll(keepingCapacity: true)
            whole.withUnsafeBytes { noteTimes(in: $0, now, tally) }
        }
        // 0 CR LF CR LF
        return last & 0xFF_FFFF_FFFF == 0x30_0D0A_0D0A
    }

    private mutating func noteTimes(in bytes: UnsafeRawBufferPointer, _ now: Int64, _ tally: Tally) {
        guard let start = bytes.baseAddress else { return }
        var position = 1
        while position < bytes.count, let found = memchr(start + position, 0x3D, bytes.count - position) {
            position = UnsafeRawPointer(found) - start + 1
            guard bytes[position - 2] == UInt8(ascii: "T"), position + 16 <= bytes.count else { continue }
            note(now - bytes[position..<(position + 16)].reduce(0) { $0 * 10 + Int64($1 - 0x30) }, now, tally)
        }
    }

    private mutating func note(_ delay: Int64, _ now: Int64, _ tally: Tally) {
        guard tally.isCounting else { return }
        tally.delays.append((Int32(clamping: delay), now))
        guard !hasFirst else { return }
        hasFirst = true
        tally.firsts.append((Int32(clamping: now - sent), now))
    }
}
