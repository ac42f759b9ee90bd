/// The limits of one replica's scheduler, under vLLM's names.
public struct BatcherConfiguration: Hashable, Sendable, Codable {
    /// Tokens computed in one step, over prompts and decodes (`max_num_batched_tokens`).
    public var maxBatchedTokens: Int
    /// Sequences running at a time (`max_num_seqs`).
    public var maxSequences: Int
    /// Tokens of a KV block.
    public var blockSize: Int
    /// KV blocks of the replica.
    public var totalBlocks: Int
    /// The longest context, prompt and output together (`max_model_len`). At most what the blocks hold.
    public var maxContext: Int
    /// Whether prompts use what is cached of earlier ones (`enable_prefix_caching`).
    public var prefixCaching: Bool

    /// - Precondition: all are positive; `maxSequences <= maxBatchedTokens`, so that a decode never waits for budget;
    ///   and `maxContext` fits the blocks, so that a sequence alone can always finish.
    public init(
        maxBatchedTokens: Int = 2048, maxSequences: Int = 256, blockSize: Int = 16, totalBlocks: Int, maxContext: Int,
        prefixCaching: Bool = false
    ) {
        precondition(
            blockSize > 0 && totalBlocks > 0 && maxSequences > 0 && maxContext > 0,
            "batcher limits must be positive")
        precondition(
            maxSequences <= maxBatchedTokens,
            "max_num_seqs \(maxSequences) exceeds max_num_batched_tokens \(maxBatchedTokens)")
        precondition(
            maxContext <= totalBlocks * blockSize,
            "a context of \(maxContext) tokens does not fit \(totalBlocks) blocks of \(blockSize)")
        self.maxBatchedTokens = maxBatchedTokens
        self.maxSequences = maxSequences
        self.blockSize = blockSize
        self.totalBlocks = totalBlocks
        self.maxContext = maxContext
        self.prefixCaching = prefixCaching
    }

    /// Blocks that hold `tokens` tokens.
    @inlinable public func blocks(for tokens: Int) -> Int { (tokens + blockSize - 1) / blockSize }
}
