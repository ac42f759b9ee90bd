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
/// Not safe to use from two threads at a time.
public final class TransformerDecoder {
    public let weights: Weights
    /// Blocks of 16 tokens.
    public let kvBlocks: Int
    /// The longest context: the model's, or what all blocks hold.
    public let maxContext: Int
    /// Tokens of a KV block.
    public static var blockSize: Int { KeyValueCache.blockSize }

    private let threads: KernelThreads
    private let cache: KeyValueCache
    private let rotary: RotaryTable
    /// `[threads, scoresStride]`
    private let scores: FloatBuffer
    private let scoresStride: Int
    private let spans: StepSpans
    private var activations: Activations
    private var logits: FloatBuffer
    private var logitRows = 0
    /// Hidden states of the entries that keep theirs, in order, and where an entry's rows begin.
    private var states = FloatBuffer(count: 0)
    private var stateRows: [Range<Int>] = []

    /// - Parameters:
    ///   - kvBlocks: At least 1. Costs layers × 32 × key-value width floats each.
    ///   - threads: That compute a step together, at least 1, the caller's included. What is computed is the same.
    public init(weights: Weights, kvBlocks: Int, threads: Int = 1) {
        precondition(kvBlocks > 0, "\(kvBlocks) KV blocks")
        let c = weights.configuration
        self.weights = weights
        self.kvBlocks = kvBlocks
        maxContext = min(c.maxContext, kvBlocks * KeyValueCache.blockSize)
        self.threads = KernelThreads(threads)
        spans = StepSpans(blocks: kvBlocks)
        cache = KeyValueCache(configuration: c, blocks: kvBlocks)
        rotary = RotaryTable(
            positions: maxContext,
            frequencies: c.ropeScaling.frequencies(headDimension: c.headDimension, theta: c.ropeTheta))
        scoresStride = Int(CK_QUERIES) * (maxContext + 2 * KeyValueCache.blockSize)
        scores = FloatBuffer(count: self.threads.count * scoresStride)
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
        guard rows > 0 else {
            logitRows = 0
            return
        }
        if rows > activations.rows { activations = Activations(configuration: c, rows: rows) }
        spans.set(entries)
        embed(entries)
        let a = activations
        for (index, layer) in weights.layers.enumerated() {
            normalise(layer.attentionNorm, rows: rows)
            multiply(layer.queryKeyValue, a.normed, stride: c.hidden, rows: rows, into: a.wide, stride: a.wideStride)
            if let bias = layer.queryKeyValueBias {
                ck_add_bias(threads.pool, a.wide.base, a.wideStride, bias, rows, bias.count)
            }
            attend(entries, layer: index, rows: rows)
            multiply(
                layer.attentionOutput, a.inner, stride: a.innerStride, rows: rows, into: a.delta, stride: a.deltaStride)
            ck_add_rows(threads.pool, a.stream.base, a.delta.base, a.deltaStride, rows, c.hidden)

            normalise(layer.feedForwardNorm, rows: rows)
            multiply(layer.gateUp, a.normed, stride: c.hidden, rows: rows, into: a.wide, stride: a.wideStride)
            ck_swiglu(threads.pool, a.inner.base, a.innerStride, a.wide.base, a.wideStride, rows, c.feedForward)
            multiply(layer.down, a.inner, stride: a.innerStride, rows: rows, into: a.delta, stride: a.deltaStride)
            ck_add_rows(threads.pool, a.stream.base, a.delta.base, a.deltaStride, rows, c.hidden)
        }
        keepStates(entries)
        project(entries)
    }

    /// The hidden states of an entry's tokens after the last norm, `[tokens, hidden]`, until the next step; none where the
    /// entry does not keep them.
    func hiddenStates(ofEntry index: Int) -> UnsafeBufferPointer<Float> {
        let hidden = weights.configuration.hidden
        let rows = stateRows.isEmpty ? 0..<0 : stateRows[index]
        return UnsafeBufferPointer(start: states.base + rows.lowerBound * hidden, count: rows.count * hidden)
    }

    /// Rows of logits that the last step computed: those of its entries, in order.
    public var logitRowCount: Int { logitRows }

    /// The logits of a row, one for each token of the vocabulary.
    public func logits(ofRow row: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: logitRow(row), count: vocabulary))
    }

    /// The logits of a row where they are, until the next step.
    func logitBuffer(ofRow row: Int) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(start: logitRow(row), count: vocabulary)
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
            threads.pool, activations.normed.base, activations.stream.base, weight, rows, c.hidden,
            Float(c.normEpsilon))
    }

    private func multiply(
        _ matrix: PackedMatrix, _ x: FloatBuffer, stride xStride: Int, rows: Int, into y: FloatBuffer,
        stride yStride: Int
    ) {
        matrix.multiply(x.base, stride: xStride, rows: rows, into: y.base, stride: yStride, pool: threads.pool)
    }

    /// Normalises each head where the architecture does, rotates queries and keys, caches keys and values, and lets each
    /// sequence attend to its own blocks.
    private func attend(_ entries: [StepEntry], layer: Int, rows: Int) {
        let c = weights.configuration
        let a = activations
        if let norms = weights.layers[layer].headNorms {
            let epsilon = Float(c.normEpsilon)
            ck_rms_norm_heads(
                threads.pool, a.wide.base, a.wideStride, norms.query, rows, c.heads, c.headDimension, epsilon)
            ck_rms_norm_heads(
                threads.pool, a.wide.base + c.queryWidth, a.wideStride, norms.key, rows, c.keyValueHeads,
                c.headDimension, epsilon)
        }
        let (keys, values) = (cache.keys(layer: layer), cache.values(layer: layer))
        spans.withSpans(of: entries) { spans, count in
            ck_rotate_and_store(
                threads.pool, a.wide.base, a.wideStride, spans, count, rotary.cosines.base, rotary.sines.base, keys,
                values, cache.shape)
            ck_attention(
                threads.pool, a.inner.base, a.innerStride, a.wide.base, a.wideStride, spans, count, keys, values,
                cache.shape, scores.base, scoresStride)
        }
    }

    private func keepStates(_ entries: [StepEntry]) {
        stateRows.removeAll(keepingCapacity: true)
        guard entries.contains(where: \.keepsStates) else { return }
        let c = weights.configuration
        let count = entries.reduce(0) { $0 + ($1.keepsStates ? $1.tokens.count : 0) }
        if states.count < count * c.hidden { states = FloatBuffer(count: count * c.hidden) }
        var (row, kept) = (0, 0)
        for entry in entries {
            let rows = entry.keepsStates ? entry.tokens.count : 0
            ck_rms_norm(
                threads.pool, states.base + kept * c.hidden, activations.stream.base + row * c.hidden,
                weights.finalNorm, rows, c.hidden, Float(c.normEpsilon))
            stateRows.append(kept..<(kept + rows))
            kept += rows
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
        multiply(weights.output, a.normed, stride: c.hidden, rows: logitRows, into: logits, stride: stride)
    }

    private func logitRow(_ row: Int) -> UnsafePointer<Float> {
        precondition(row >= 0 && row < logitRows, "row \(row) of \(logitRows) rows of logits")
        return UnsafePointer(logits.base + row * weights.output.paddedOutputs)
    }
}
