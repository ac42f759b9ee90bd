import CKernels

/// A transformer that computes one step over several sequences at once.
///
/// All fed tokens are rows of one matrix product per weight matrix, so a step reads the weights once; attention runs per
/// sequence over its own KV blocks. Every sum has an order that depends on its own row alone: a token's logits are the
/// same bits whether its sequence runs alone, in a batch, in chunks, or again after it lost its blocks.
///
///     let decoder = TransformerDecoder(weights: preset.weights(), kvBlocks: 64)
///     decoder.step([StepEntry(blocks: [0, 1], start: 0, tokens: prompt[...])])
///     let next = decoder.greedyToken(ofRow: 0)
///
/// One thread. Not safe to use from two at a time.
public final class TransformerDecoder {
    public let weights: Weights
    /// Blocks of 16 tokens.
    public let kvBlocks: Int
    /// The longest context: the model's, or what all blocks hold.
    public let maxContext: Int
    /// Tokens of a KV block.
    public static var blockSize: Int { KeyValueCache.blockSize }

    private let cache: KeyValueCache
    private let rotary: RotaryTable
    private let scores: FloatBuffer
    private var activations: Activations
    private var logits: FloatBuffer
    private var logitRows = 0

    /// - Parameters:
    ///   - kvBlocks: At least 1. Costs layers × 32 × key-value width floats each.
    public init(weights: Weights, kvBlocks: Int) {
        precondition(kvBlocks > 0, "\(kvBlocks) KV blocks")
        let c = weights.configuration
        self.weights = weights
        self.kvBlocks = kvBlocks
        maxContext = min(c.maxContext, kvBlocks * KeyValueCache.blockSize)
        cache = KeyValueCache(configuration: c, blocks: kvBlocks)
        rotary = RotaryTable(
            positions: maxContext,
            frequencies: c.ropeScaling.frequencies(headDimension: c.headDimension, theta: c.ropeTheta))
        scores = FloatBuffer(count: Int(CK_QUERIES) * (maxContext + 2 * KeyValueCache.blockSize))
        activations = Activations(configuration: c, rows: 16)
        logits = FloatBuffer(count: 0)
    }

    /// Feeds each entry's tokens, caches their keys and values, and computes the logits asked for.
    ///
    /// - Precondition: each entry has at least one token, ends within `maxContext`, has blocks enough for it, shares no
    ///   block with another entry, and its tokens are in the vocabulary.
    public func step(_ entries: [StepEntry]) {
        let c = weights.configuration
        for entry in entries { check(entry) }
        let rows = entries.reduce(0) { $0 + $1.tokens.count }
        if rows > activations.rows { activations = Activations(configuration: c, rows: rows) }
        embed(entries)
        let a = activations
        for (index, layer) in weights.layers.enumerated() {
            normalise(layer.attentionNorm, rows: rows)
            layer.queryKeyValue.multiply(
                a.normed.base, stride: c.hidden, rows: rows, into: a.wide.base, stride: a.wideStride)
            if let bias = layer.queryKeyValueBias {
                ck_add_bias(a.wide.base, a.wideStride, bias, rows, bias.count)
            }
            attend(entries, layer: index)
            layer.attentionOutput.multiply(
                a.inner.base, stride: a.innerStride, rows: rows, into: a.delta.base, stride: a.deltaStride)
            ck_add_rows(a.stream.base, a.delta.base, a.deltaStride, rows, c.hidden)

            normalise(layer.feedForwardNorm, rows: rows)
            layer.gateUp.multiply(
                a.normed.base, stride: c.hidden, rows: rows, into: a.wide.base, stride: a.wideStride)
            ck_swiglu(a.inner.base, a.innerStride, a.wide.base, a.wideStride, rows, c.feedForward)
            layer.down.multiply(
                a.inner.base, stride: a.innerStride, rows: rows, into: a.delta.base, stride: a.deltaStride)
            ck_add_rows(a.stream.base, a.delta.base, a.deltaStride, rows, c.hidden)
        }
        project(entries)
    }

    /// Rows of logits that the last step computed: those of its entries, in order.
    public var logitRowCount: Int { logitRows }

    /// The logits of a row, one for each token of the vocabulary.
    public func logits(ofRow row: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: logitRow(row), count: vocabulary))
    }

    /// The token with the largest logit of a row; of equals the first.
    public func greedyToken(ofRow row: Int) -> Int32 { Int32(ck_argmax(logitRow(row), vocabulary)) }

    // MARK: - Parts of a step

    private var vocabulary: Int { weights.configuration.vocabulary }

    private func check(_ entry: StepEntry) {
        let end = entry.start + entry.tokens.count
        precondition(!entry.tokens.isEmpty && entry.start >= 0, "an entry of no tokens")
        precondition(end <= maxContext, "a context of \(end) tokens, longest \(maxContext)")
        precondition(
            entry.blocks.count * KeyValueCache.blockSize >= end, "\(entry.blocks.count) blocks for \(end) tokens")
        for block in entry.blocks { precondition(block >= 0 && block < kvBlocks, "block \(block) of \(kvBlocks)") }
        for token in entry.tokens { precondition(token >= 0 && token < vocabulary, "token \(token) of \(vocabulary)") }
    }

    private func embed(_ entries: [StepEntry]) {
        var row = activations.stream.base
        for entry in entries {
            for token in entry.tokens {
                weights.embedding.copyRow(Int(token), to: row)
                row += weights.configuration.hidden
            }
        }
    }

    private func normalise(_ weight: [Float], rows: Int) {
        let c = weights.configuration
        ck_rms_norm(
            activations.normed.base, activations.stream.base, weight, rows, c.hidden, Float(c.normEpsilon))
    }

    /// Normalises each head where the architecture does, rotates queries and keys, caches keys and values, and lets each sequence attend to its own blocks.
    private func attend(_ entries: [StepEntry], layer: Int) {
        let c = weights.configuration
        let a = activations
        var row = 0
        for entry in entries {
            let first = a.wide.base + row * a.wideStride
            for offset in 0..<entry.tokens.count {
                let position = entry.start + offset
                let query = first + offset * a.wideStride
                let key = query + c.queryWidth
                if let norms = weights.layers[layer].headNorms {
                    let epsilon = Float(c.normEpsilon)
                    ck_rms_norm(query, query, norms.query, c.heads, c.headDimension, epsilon)
                    ck_rms_norm(key, key, norms.key, c.keyValueHeads, c.headDimension, epsilon)
                }
                let (cosines, sines) = (rotary.cosines(at: position), rotary.sines(at: position))
                ck_rope(query, cosines, sines, c.heads, c.headDimension)
                ck_rope(key, cosines, sines, c.keyValueHeads, c.headDimension)
                cache.store(
                    key: key, value: key + c.keyValueWidth, layer: layer, position: position, blocks: entry.blocks)
            }
            ck_attention(
                a.inner.base + row * a.innerStride, a.innerStride, first, a.wideStride, entry.tokens.count, entry.start,
                cache.keys(layer: layer), cache.values(layer: layer), entry.blocks, cache.shape, scores.base)
            row += entry.tokens.count
        }
    }

    /// Takes the rows whose logits are wanted through the final norm and the output matrix.
    private func project(_ entries: [StepEntry]) {
        let c = weights.configuration
        let a = activations
        logitRows = 0
        var row = 0
        for entry in entries {
            let end = row + entry.tokens.count
            for wanted in (end - entry.logitRowCount)..<end {
                // Rows only move towards the front, so none is overwritten before it was moved.
                (a.stream.base + logitRows * c.hidden).update(from: a.stream.base + wanted * c.hidden, count: c.hidden)
                logitRows += 1
            }
            row = end
        }
        guard logitRows > 0 else { return }
        let stride = weights.output.paddedOutputs
        if logits.count < logitRows * stride { logits = FloatBuffer(count: logitRows * stride) }
        normalise(weights.finalNorm, rows: logitRows)
        weights.output.multiply(a.normed.base, stride: c.hidden, rows: logitRows, into: logits.base, stride: stride)
    }

    private func logitRow(_ row: Int) -> UnsafePointer<Float> {
        precondition(row >= 0 && row < logitRows, "row \(row) of \(logitRows) rows of logits")
        return UnsafePointer(logits.base + row * weights.output.paddedOutputs)
    }
}
