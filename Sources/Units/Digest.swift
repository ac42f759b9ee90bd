/// The SHA-256 digest of canonical bytes: names a scenario, a price book, a policy's parameters or a journal record.
///
/// Written here because a kept library for it (swift-crypto) takes longer to build than all of the planning side, and
/// the plain function is fifty lines held to the standard's own vectors.
///
/// - Source: FIPS 180-4, *Secure Hash Standard*, §6.2.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// 64 hexadecimal digits.
    public let hexadecimal: String

    /// The digest of `bytes`.
    public init(of bytes: some Sequence<UInt8>) {
        var builder = DigestBuilder()
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { builder.update(UnsafeRawBufferPointer($0)) }
        if isDone == nil { Array(bytes).withUnsafeBytes { builder.update($0) } }
        self = builder.digest
    }

    fileprivate init(words: [UInt32]) {
        hexadecimal = words.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    /// The digest of the UTF-8 bytes of `text`.
    public init(of text: String) { self.init(of: text.utf8) }

    /// The first twelve digits, as a report shows it.
    public var short: String { String(hexadecimal.prefix(12)) }
    public var description: String { hexadecimal }
}

/// A digest under construction, for bytes that come in pieces, such as a file too large to hold.
///
///     var builder = DigestBuilder()
///     while let chunk = file.next() { builder.update(chunk) }
///     let digest = builder.digest
public struct DigestBuilder: Sendable {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    private var schedule = [UInt32](repeating: 0, count: 64)
    /// Bytes that do not fill a block of 64 yet.
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    public init() {}

    /// Adds bytes behind those added before.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length += UInt64(bytes.count)
        var rest = bytes
        if !pending.isEmpty {
            let taken = min(64 - pending.count, rest.count)
            pending.append(contentsOf: rest.prefix(taken))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken))
            guard pending.count == 64 else { return }
            let block = pending
            block.withUnsafeBytes { compress($0) }
            pending.removeAll(keepingCapacity: true)
        }
        while rest.count >= 64 {
            compress(UnsafeRawBufferPointer(rebasing: rest[..<64]))
            rest = UnsafeRawBufferPointer(rebasing: rest[64...])
        }
        pending.append(contentsOf: rest)
    }

    /// The digest of everything added so far.
    public var digest: Digest {
        var copy = self
        var end: [UInt8] = [0x80]
        end.append(contentsOf: repeatElement(0, count: (119 - pending.count) % 64))
        for shift in stride(from: 56, through: 0, by: -8) {
            end.append(UInt8(truncatingIfNeeded: (length * 8) >> UInt64(shift)))
        }
        end.withUnsafeBytes { copy.update($0) }
        return Digest(words: copy.state)
    }

    private mutating func compress(_ block: UnsafeRawBufferPointer) {
        state.withUnsafeMutableBufferPointer { state in
            schedule.withUnsafeMutableBufferPointer { w in
                Self.roundConstants.withUnsafeBufferPointer { k in Self.compress(block, into: state, w, k) }
            }
        }
    }

    /// One block of 64 bytes. Pointers and eight plain variables: arrays here cost ten times as much.
    private static func compress(
        _ block: UnsafeRawBufferPointer, into state: UnsafeMutableBufferPointer<UInt32>,
        _ w: UnsafeMutableBufferPointer<UInt32>, _ k: UnsafeBufferPointer<UInt32>
    ) {
        @inline(__always) func rotated(_ x: UInt32, _ n: UInt32) -> UInt32 { (x &>> n) | (x &<< (32 &- n)) }
        for i in 0..<16 {
            w[i] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 &* i, as: UInt32.self))
        }
        for i in 16..<64 {
            let s0 = rotated(w[i &- 15], 7) ^ rotated(w[i &- 15], 18) ^ (w[i &- 15] &>> 3)
            let s1 = rotated(w[i &- 2], 17) ^ rotated(w[i &- 2], 19) ^ (w[i &- 2] &>> 10)
            w[i] = w[i &- 16] &+ s0 &+ w[i &- 7] &+ s1
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for i in 0..<64 {
            let s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
            let t1 = h &+ s1 &+ ((e & f) ^ (~e & g)) &+ k[i] &+ w[i]
            let s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
            let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ t2)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
    }

    private static let roundConstants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
}
