/// The weights of a decoder, checked against its shape and packed for the kernels, in 32-bit floats.
public final class Weights {
    public let configuration: ModelConfiguration

    /// One layer. Matrices that read the same input are stacked, so that a step reads it once.
    struct Layer {
        /// `[hidden]`
        var attentionNorm: [Float]
        /// `[query width + 2 · key-value width, hidden]`: queries, keys, values.
        var queryKeyValue: PackedMatrix
        /// `[hidden, query width]`
        var attentionOutput: PackedMatrix
        /// `[hidden]`
        var feedForwardNorm: [Float]
        /// `[2 · feed-forward, hidden]`: gate, up.
        var gateUp: PackedMatrix
        /// `[hidden, feed-forward]`
        var down: PackedMatrix
    }

    let layers: [Layer]
    /// `[vocabulary, hidden]`
    let embedding: PackedMatrix
    /// `[vocabulary, hidden]`; the embedding itself when the two are tied.
    let output: PackedMatrix
    /// `[hidden]`
    let finalNorm: [Float]

    /// Takes each tensor, in the order in which a Llama checkpoint lists them, from `tensor(name, shape)`.
    ///
    /// - Parameter tensor: Must return as many floats as the shape has. Names are those of Hugging Face checkpoints;
    ///   matrices are `[outputs, inputs]`, vectors one-dimensional.
    /// - Precondition: the configuration is a usable one.
    init<E: Error>(
        configuration c: ModelConfiguration, tensor: (_ name: String, _ shape: [Int]) throws(E) -> [Float]
    ) throws(E) {
        precondition(c.problem == nil, "\(c.problem!.key) \(c.problem!.text)")
        configuration = c
        embedding = try PackedMatrix(inputs: c.hidden, stacking: [("model.embed_tokens.weight", c.vocabulary)], tensor)
        var layers: [Layer] = []
        for index in 0..<c.layers {
            let prefix = "model.layers.\(index)."
            let attentionNorm = try tensor(prefix + "input_layernorm.weight", [c.hidden])
            let queryKeyValue = try PackedMatrix(
                inputs: c.hidden,
                stacking: [
                    (prefix + "self_attn.q_proj.weight", c.queryWidth),
                    (prefix + "self_attn.k_proj.weight", c.keyValueWidth),
                    (prefix + "self_attn.v_proj.weight", c.keyValueWidth),
                ], tensor)
            let attentionOutput = try PackedMatrix(
                inputs: c.queryWidth, stacking: [(prefix + "self_attn.o_proj.weight", c.hidden)], tensor)
            let feedForwardNorm = try tensor(prefix + "post_attention_layernorm.weight", [c.hidden])
            let gateUp = try PackedMatrix(
                inputs: c.hidden,
                stacking: [
                    (prefix + "mlp.gate_proj.weight", c.feedForward), (prefix + "mlp.up_proj.weight", c.feedForward),
                ], tensor)
            let down = try PackedMatrix(
                inputs: c.feedForward, stacking: [(prefix + "mlp.down_proj.weight", c.hidden)], tensor)
            layers.append(
                Layer(
                    attentionNorm: attentionNorm, queryKeyValue: queryKeyValue, attentionOutput: attentionOutput,
                    feedForwardNorm: feedForwardNorm, gateUp: gateUp, down: down))
        }
        self.layers = layers
        finalNorm = try tensor("model.norm.weight", [c.hidden])
        output =
            c.tiedEmbeddings
            ? embedding : try PackedMatrix(inputs: c.hidden, stacking: [("lm_head.weight", c.vocabulary)], tensor)
    }

    /// Reads `config.json` and `model.safetensors` of a Hugging Face model folder.
    ///
    /// - Throws: ``ModelFileError``.
    public convenience init(folder: String) throws(ModelFileError) {
        let configuration = try ModelConfiguration(file: folder + "/config.json")
        let file = try SafetensorsFile(folder + "/model.safetensors")
        try self.init(configuration: configuration) { (name, shape) throws(ModelFileError) in
            try file.floats(name, shape: shape)
        }
    }
}

extension PackedMatrix {
    /// The named tensors, each with its outputs, above one another.
    fileprivate convenience init<E: Error>(
        inputs: Int, stacking parts: [(name: String, outputs: Int)],
        _ tensor: (_ name: String, _ shape: [Int]) throws(E) -> [Float]
    ) throws(E) {
        // All of them are there before anything of their announced size is allocated.
        var rows: [[Float]] = []
        for part in parts { rows.append(try tensor(part.name, [part.outputs, inputs])) }
        self.init(outputs: parts.reduce(0) { $0 + $1.outputs }, inputs: inputs)
        var first = 0
        for (part, rows) in zip(parts, rows) {
            set(rows, first: first)
            first += part.outputs
        }
    }
}
