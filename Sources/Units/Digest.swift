internal import CDigest

/// The SHA-256 digest of canonical bytes: names a scenario, a price book, a policy's parameters or a journal record.
///
/// Written here because a kept library for it (swift-crypto) takes longer to build than all of the planning side, and
/// the plain function is fifty lines held to the standard's own vectors. `CDigest` has it, because the processor's own
/// instructions for it are five times as fast, and traces are digested as they are read.
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
        let whole = rest.count & ~63
        compress(UnsafeRawBufferPointer(rebasing: rest[..<whole]))
        rest = UnsafeRawBufferPointer(rebasing: rest[whole...])
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

    /// Takes in whole blocks of 64 bytes.
    private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
        guard let first = blocks.baseAddress, blocks.count >= 64 else { return }
        state.withUnsafeMutableBufferPointer { state in
            cdigest_sha256(state.baseAddress, first.assumingMemoryBound(to: UInt8.self), blocks.count / 64)
        }
    }
}
