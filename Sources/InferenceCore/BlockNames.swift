import Serving
import Units

/// Names a sequence's whole KV blocks as its tokens become known: block by block the digest of a salt and all tokens so far.
///
/// 128 bits of SHA-256, as somebody else's prompt must not be found even by who looks for such a prompt.
public struct BlockNames {
    private let blockSize: Int
    private var chain = DigestChain()
    /// Tokens in the blocks named so far.
    private var tokens = 0

    public init(salt: UInt64, blockSize: Int = TransformerDecoder.blockSize) {
        self.blockSize = blockSize
        var block = SIMD8<UInt64>.zero
        block[0] = salt
        withUnsafeBytes(of: block) { chain.add($0) }
    }

    /// The name of the next block, when `tokens` fills it: all tokens of the sequence known so far.
    public mutating func next(of tokens: [Int32]) -> BlockName? {
        guard self.tokens + blockSize <= tokens.count else { return nil }
        tokens.withUnsafeBytes { bytes in
            let width = MemoryLayout<Int32>.stride
            let block = bytes[(self.tokens * width)..<((self.tokens + blockSize) * width)]
            chain.add(UnsafeRawBufferPointer(rebasing: block))
        }
        self.tokens += blockSize
        let (high, low) = chain.name
        return BlockName(high: high, low: low)
    }
}
