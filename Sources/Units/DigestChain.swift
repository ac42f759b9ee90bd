internal import CDigest

/// A digest for each beginning of a sequence of 64-byte blocks: SHA-256's state after each block.
///
/// It names what has been added so far, in one compression a block. Not SHA-256 of it: nothing is padded, so names
/// compare with names of this type only.
///
/// - Source: FIPS 180-4, *Secure Hash Standard*, §6.2.2; Merkle, "One way hash functions and DES", CRYPTO '89.
public struct DigestChain: Sendable {
    private var state: SIMD8<UInt32> = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]

    public init() {}

    /// Adds one block.
    ///
    /// - Precondition: there are 64 bytes.
    public mutating func add(_ block: UnsafeRawBufferPointer) {
        precondition(block.count == 64, "a block of \(block.count) bytes")
        withUnsafeMutableBytes(of: &state) { state in
            cdigest_sha256(
                state.baseAddress!.assumingMemoryBound(to: UInt32.self),
                block.baseAddress!.assumingMemoryBound(to: UInt8.self), 1)
        }
    }

    /// The first 128 bits of the state.
    public var name: (high: UInt64, low: UInt64) {
        (UInt64(state[0]) << 32 | UInt64(state[1]), UInt64(state[2]) << 32 | UInt64(state[3]))
    }
}
