/// The shape of a decoder of the Llama family: Llama, Mistral, Qwen2, Qwen3.
///
/// RMSNorm before each half of a layer, rotary embedding in the half-split layout, grouped-query attention, SwiGLU.
public struct ModelConfiguration: Hashable, Sendable {
    public var layers: Int
    /// Width of the residual stream. A multiple of 16.
    public var hidden: Int
    public var heads: Int
    /// Key and value heads; divides `heads`.
    public var keyValueHeads: Int
    /// Width of a head. Even.
    public var headDimension: Int
    public var feedForward: Int
    public var vocabulary: Int
    public var ropeTheta: Double
    public var normEpsilon: Double
    /// Whether the output matrix is the embedding.
    public var tiedEmbeddings: Bool
    /// The longest context, in tokens.
    public var maxContext: Int
    /// Whether a bias is added to queries, keys and values, as in Qwen2.
    public var attentionBias: Bool
    /// Whether each head's query and key are normalised before they are rotated, as in Qwen3.
    public var headNorms: Bool
    public var ropeScaling: RopeScaling

    public init(
        layers: Int, hidden: Int, heads: Int, keyValueHeads: Int, headDimension: Int, feedForward: Int, vocabulary: Int,
        ropeTheta: Double = 10_000, normEpsilon: Double = 1e-5, tiedEmbeddings: Bool = false, maxContext: Int,
        attentionBias: Bool = false, headNorms: Bool = false, ropeScaling: RopeScaling = .none
    ) {
        self.layers = layers
        self.hidden = hidden
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension
        self.feedForward = feedForward
        self.vocabulary = vocabulary
        self.ropeTheta = ropeTheta
        self.normEpsilon = normEpsilon
        self.tiedEmbeddings = tiedEmbeddings
        self.maxContext = maxContext
        self.attentionBias = attentionBias
        self.headNorms = headNorms
        self.ropeScaling = ropeScaling
    }

    /// Width of all query heads.
    public var queryWidth: Int { heads * headDimension }
    /// Width of all key heads, and of all value heads.
    public var keyValueWidth: Int { keyValueHeads * headDimension }

    /// Weights, the embedding counted once when tied.
    public var parameters: Int {
        let attention = hidden * (2 * queryWidth + 2 * keyValueWidth)
        let extras = (attentionBias ? queryWidth + 2 * keyValueWidth : 0) + (headNorms ? 2 * headDimension : 0)
        let layer = attention + 3 * hidden * feedForward + 2 * hidden + extras
        return layers * layer + hidden + vocabulary * hidden * (tiedEmbeddings ? 1 : 2)
    }

    /// The first thing wrong with the shape, and the key of `config.json` to blame; `nil` for a usable one.
    ///
    /// The upper bounds are far above any published model: they keep sizes computed from a hostile file from overflowing.
    public var problem: (key: String, text: String)? {
        func outside(_ value: Int, _ range: ClosedRange<Int>, _ key: String) -> (key: String, text: String)? {
            range.contains(value) ? nil : (key, "is \(value), outside \(range.lowerBound) to \(range.upperBound)")
        }
        let bounds =
            outside(layers, 1...1024, "num_hidden_layers") ?? outside(hidden, 16...65_536, "hidden_size")
            ?? outside(heads, 1...1024, "num_attention_heads")
            ?? outside(keyValueHeads, 1...1024, "num_key_value_heads") ?? outside(headDimension, 2...1024, "head_dim")
            ?? outside(feedForward, 1...1_048_576, "intermediate_size")
            ?? outside(vocabulary, 2...4_194_304, "vocab_size")
            ?? outside(maxContext, 1...16_777_216, "max_position_embeddings")
        if let bounds { return bounds }
        if hidden % 16 != 0 { return ("hidden_size", "is \(hidden), not a multiple of 16") }
        if headDimension % 2 != 0 { return ("head_dim", "is \(headDimension): rotary embedding needs an even width") }
        if heads % keyValueHeads != 0 {
            return ("num_key_value_heads", "is \(keyValueHeads), which does not divide \(heads) heads")
        }
        if !(ropeTheta.isFinite && ropeTheta > 1) { return ("rope_theta", "is \(ropeTheta), not above 1") }
        if !(normEpsilon.isFinite && normEpsilon > 0 && normEpsilon < 1) {
            return ("rms_norm_eps", "is \(normEpsilon), outside 0 to 1")
        }
        if headNorms && headDimension % 16 != 0 {
            return ("head_dim", "is \(headDimension), not a multiple of 16, and heads are normalised")
        }
        return ropeScaling.problem(headDimension: headDimension).map { ("rope_scaling", $0) }
    }
}
