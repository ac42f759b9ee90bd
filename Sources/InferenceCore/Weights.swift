import CKernels

/// The weights of a decoder, checked against its shape and packed for the kernels, of the types that the file has.
public final class Weights {
    public let configuration: ModelConfiguration

    /// One layer. Matrices that read the same input are stacked, so that a step reads it once.
    struct Layer {
        /// `[hidden]`
        var attentionNorm: [Float]
        /// `[query width + 2 · key-value width, hidden]`: queries, keys, values.
        var queryKeyValue: PackedMatrix
        /// `[query width + 2 · key-value width]`
        var queryKeyValueBias: [Float]?
        /// `[head dimension]` each
        var headNorms: (query: [Float], key: [Float])?
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
    /// - Parameter tensor: Must return a tensor of the shape. Names are those of Hugging Face checkpoints; matrices are
    ///   `[outputs, inputs]`, vectors one-dimensional and of floats.
    /// - Precondition: the configuration is a usable one.
    init(
        configuration c: ModelConfiguration,
        tensor: (_ name: String, _ shape: [Int]) throws(ModelFileError) -> StoredTensor
    ) throws(ModelFileError) {
        precondition(c.problem == nil, "\(c.problem!.key) \(c.problem!.text)")
        func vector(_ name: String, _ count: Int) throws(ModelFileError) -> [Float] {
            try tensor(name, [count]).floats(count: count)
        }
        func matrix(inputs: Int, _ parts: [(name: String, outputs: Int)]) throws(ModelFileError) -> PackedMatrix {
            // All of them are there before anything of their announced size is allocated.
            var tensors: [(tensor: StoredTensor, outputs: Int)] = []
            for (name, outputs) in parts { tensors.append((try tensor(name, [outputs, inputs]), outputs)) }
            return try PackedMatrix(inputs: inputs, stacking: tensors)
        }

        configuration = c
        embedding = try matrix(inputs: c.hidden, [("model.embed_tokens.weight", c.vocabulary)])
        let heads = [("q_proj", c.queryWidth), ("k_proj", c.keyValueWidth), ("v_proj", c.keyValueWidth)]
        var layers: [Layer] = []
        for index in 0..<c.layers {
            let prefix = "model.layers.\(index)."
            let attention = prefix + "self_attn."
            let attentionNorm = try vector(prefix + "input_layernorm.weight", c.hidden)
            let queryKeyValue = try matrix(inputs: c.hidden, heads.map { (attention + $0 + ".weight", $1) })
            var bias: [Float]?
            if c.attentionBias {
                var floats: [Float] = []
                for (name, width) in heads { floats += try vector(attention + name + ".bias", width) }
                bias = floats
            }
            var norms: (query: [Float], key: [Float])?
            if c.headNorms {
                norms = (
                    try vector(attention + "q_norm.weight", c.headDimension),
                    try vector(attention + "k_norm.weight", c.headDimension)
                )
            }
            let attentionOutput = try matrix(inputs: c.queryWidth, [(attention + "o_proj.weight", c.hidden)])
            let feedForwardNorm = try vector(prefix + "post_attention_layernorm.weight", c.hidden)
            let gateUp = try matrix(
                inputs: c.hidden,
                [(prefix + "mlp.gate_proj.weight", c.feedForward), (prefix + "mlp.up_proj.weight", c.feedForward)])
            let down = try matrix(inputs: c.feedForward, [(prefix + "mlp.down_proj.weight", c.hidden)])
            layers.append(
                Layer(
                    attentionNorm: attentionNorm, queryKeyValue: queryKeyValue, queryKeyValueBias: bias,
                    headNorms: norms, attentionOutput: attentionOutput, feedForwardNorm: feedForwardNorm,
                    gateUp: gateUp, down: down))
        }
        self.layers = layers
        finalNorm = try vector("model.norm.weight", c.hidden)
        output = c.tiedEmbeddings ? embedding : try matrix(inputs: c.hidden, [("lm_head.weight", c.vocabulary)])
    }

    /// Reads a model: a GGUF file, or a Hugging Face folder with `config.json` and safetensors.
    ///
    /// - Throws: ``ModelFileError``.
    public convenience init(path: String) throws(ModelFileError) {
        if path.hasSuffix(".gguf") { try self.init(try GGUFFile(path)) } else { try self.init(folder: path) }
    }

    /// Reads `config.json` of a Hugging Face model folder, and `model.safetensors` or the files that
    /// `model.safetensors.index.json` lists.
    ///
    /// - Throws: ``ModelFileError``.
    public convenience init(folder: String) throws(ModelFileError) {
        let configuration = try ModelConfiguration(file: folder + "/config.json")
        let tensors = try SafetensorsFolder(folder)
        var used: Set<String> = []
        try self.init(configuration: configuration) { (name, shape) throws(ModelFileError) in
            used.insert(name)
            return try tensors.stored(name, shape: shape)
        }
        for name in tensors.names where !used.contains(name) {
            // Tables that old checkpoints carry along, and an output matrix that is tied to the embedding.
            if name.hasSuffix("rotary_emb.inv_freq") || name == "lm_head.weight" { continue }
            throw ModelFileError(
                file: folder, part: name, problem: "belongs to no part of the architecture that is computed")
        }
        try tensors.checkUnchanged()
    }

    /// Takes the weights of a GGUF file.
    ///
    /// - Throws: ``ModelFileError`` when the metadata describe an architecture that is not computed, a tensor is absent, of
    ///   another shape or of a type that is not computed, or when there is one that the architecture does not have.
    public convenience init(_ file: GGUFFile) throws(ModelFileError) {
        let configuration = try ModelConfiguration(file)
        var used: Set<String> = ["rope_freqs.weight"]
        try self.init(configuration: configuration) { (name, shape) throws(ModelFileError) in
            let name = GGUFFile.name(ofTensor: name)
            used.insert(name)
            return try file.stored(name, shape: shape, heads: configuration.headDimension)
        }
        for tensor in file.tensors where !used.contains(tensor.name) {
            throw ModelFileError(
                file: file.path, part: tensor.name,
                problem: "belongs to no part of the architecture that is computed")
        }
        try file.file.checkUnchanged()
    }

    /// The matrices that a step multiplies by: all but an embedding that is not the output matrix too.
    private var multipliers: [PackedMatrix] {
        layers.flatMap { [$0.queryKeyValue, $0.attentionOutput, $0.gateUp, $0.down] } + [output]
    }

    /// Bytes of memory that the matrices take.
    public var bytes: Int { streamedBytes + (output === embedding ? 0 : embedding.bytes) }

    /// Bytes of weights that a step reads, however many rows it has.
    public var streamedBytes: Int { multipliers.reduce(0) { $0 + $1.bytes } }

    /// Weights that a step multiplies each token by.
    public var multiplied: Int { multipliers.reduce(0) { $0 + $1.inputs * $1.outputs } }
}
