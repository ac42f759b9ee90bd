import CKernels

extension GGUFFile {
    /// The name in a GGUF file of a tensor of a Hugging Face checkpoint.
    static func name(ofTensor name: String) -> String {
        switch name {
        case "model.embed_tokens.weight": return "token_embd.weight"
        case "model.norm.weight": return "output_norm.weight"
        case "lm_head.weight": return "output.weight"
        default: break
        }
        // model.layers.3.self_attn.q_proj.weight
        let parts = name.split(separator: ".")
        guard parts.count >= 5, parts[1] == "layers", let end = parts.last else { return name }
        let middle = parts[3..<(parts.count - 1)].joined(separator: ".")
        let names = [
            "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
            "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
            "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
            "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        ]
        return "blk.\(parts[2]).\(names[middle] ?? middle).\(end)"
    }

    /// A tensor of the model, in its stored type.
    ///
    /// - Parameter heads: Dimension of a head, by which the `llama` architecture reorders rows of queries and keys.
    func stored(_ name: String, shape: [Int], heads: Int) throws(ModelFileError) -> StoredTensor {
        func wrong(_ problem: String) -> ModelFileError { ModelFileError(file: path, part: name, problem: problem) }
        guard let tensor = tensor(name) else { throw wrong("is not in the file") }
        guard tensor.shape == shape else { throw wrong("has the shape \(tensor.shape), expected \(shape)") }
        let type: ck_weight_type
        switch tensor.type {
        case .f32: type = ck_f32
        case .f16: type = ck_f16
        case .bf16: type = ck_bf16
        case .q80: type = ck_q8_0
        case .q40: type = ck_q4_0
        case .q41: type = ck_q4_1
        default: throw wrong("is of type \(tensor.type.name), expected F32, F16, BF16, Q8_0, Q4_0 or Q4_1")
        }
        if shape.count == 1, tensor.type.blockSize > 1 {
            throw wrong("is of type \(tensor.type.name), expected F32, F16 or BF16")
        }
        var stored = StoredTensor(type: type, in: file, at: tensor.bytes.lowerBound)
        let isLlama = metadata.string("general.architecture") == "llama"
        if isLlama, name.hasSuffix("attn_q.weight") || name.hasSuffix("attn_k.weight") {
            stored.rowOrder = .neighbours(headDimension: heads)
        }
        return stored
    }
}

extension ModelConfiguration {
    /// Reads the shape of a model from the metadata of a GGUF file.
    ///
    /// - Throws: ``ModelFileError`` that names the key which is absent, or asks for what this core does not compute.
    public init(_ file: GGUFFile) throws(ModelFileError) {
        let keys = ArchitectureKeys(file)
        let architecture = keys.architecture
        guard ["llama", "qwen2", "qwen3"].contains(architecture) else {
            throw ModelFileError(
                file: file.path, part: "general.architecture",
                problem: "is '\(architecture)'; 'llama', 'qwen2' and 'qwen3' are computed")
        }
        let heads = try keys.integer("attention.head_count")
        let hidden = try keys.integer("embedding_length")
        let headDimension =
            try keys.integer("attention.key_length", orElse: heads > 0 ? hidden / heads : 0)
        try keys.expect("attention.value_length", headDimension)
        try keys.expect("rope.dimension_count", headDimension)
        try keys.expect("expert_count", 0)
        // A sliding window changes nothing before it is full.
        let context = try keys.integer("context_length")
        let window = try keys.integer("attention.sliding_window", orElse: 0)
        self.init(
            layers: try keys.integer("block_count"), hidden: hidden, heads: heads,
            keyValueHeads: try keys.integer("attention.head_count_kv", orElse: heads), headDimension: headDimension,
            feedForward: try keys.integer("feed_forward_length"), vocabulary: try keys.vocabulary(),
            ropeTheta: try keys.double("rope.freq_base", orElse: 10_000),
            normEpsilon: try keys.double("attention.layer_norm_rms_epsilon"),
            tiedEmbeddings: file.tensor("output.weight") == nil,
            maxContext: window > 0 ? min(context, window) : context,
            attentionBias: architecture == "qwen2", headNorms: architecture == "qwen3")
        if let problem {
            throw ModelFileError(file: file.path, part: keys.name(of: problem.key), problem: problem.text)
        }
        ropeScaling = try keys.ropeScaling(headDimension: headDimension)
        if let problem { throw ModelFileError(file: file.path, part: "rope_freqs.weight", problem: problem.text) }
    }
}

/// The metadata of one architecture, `<architecture>.<key>`.
private struct ArchitectureKeys {
    var file: GGUFFile
    var architecture: String

    init(_ file: GGUFFile) {
        self.file = file
        architecture = file.metadata.string("general.architecture") ?? ""
    }

    private func wrong(_ key: String, _ problem: String) -> ModelFileError {
        ModelFileError(file: file.path, part: "\(architecture).\(key)", problem: problem)
    }

    /// An integer; one for each layer will do when they are all equal.
    func integer(_ key: String, orElse absent: Int? = nil) throws(ModelFileError) -> Int {
        switch file.metadata["\(architecture).\(key)"] {
        case .integer(let value)?: return value
        case .integers(let values)?:
            guard let first = values.first, values.allSatisfy({ $0 == first }) else {
                throw wrong(key, "differs between layers")
            }
            return first
        case nil:
            guard let absent else { throw wrong(key, "is not in the file") }
            return absent
        default: throw wrong(key, "is no integer")
        }
    }

    func double(_ key: String, orElse absent: Double? = nil) throws(ModelFileError) -> Double {
        let name = "\(architecture).\(key)"
        if let value = file.metadata.double(name) { return value }
        guard file.metadata[name] == nil else { throw wrong(key, "is no number") }
        guard let absent else { throw wrong(key, "is not in the file") }
        return absent
    }

    /// Refuses another value than the one that is computed; an absent key means that one.
    func expect(_ key: String, _ expected: Int) throws(ModelFileError) {
        let value = try integer(key, orElse: expected)
        guard value == expected else { throw wrong(key, "is \(value); only \(expected) is computed") }
    }

    /// The rows of the embedding, which the tokenizer and the metadata must agree with.
    func vocabulary() throws(ModelFileError) -> Int {
        guard let tensor = file.tensor("token_embd.weight"), tensor.shape.count == 2 else {
            throw ModelFileError(file: file.path, part: "token_embd.weight", problem: "is no matrix of the file")
        }
        let vocabulary = tensor.shape[0]
        try expect("vocab_size", vocabulary)
        if let tokens = file.metadata.strings("tokenizer.ggml.tokens"), tokens.count != vocabulary {
            throw ModelFileError(
                file: file.path, part: "tokenizer.ggml.tokens",
                problem: "lists \(tokens.count) tokens, but 'token_embd.weight' has \(vocabulary) rows")
        }
        return vocabulary
    }

    func ropeScaling(headDimension: Int) throws(ModelFileError) -> RopeScaling {
        let name = "\(architecture).rope.scaling.type"
        let kind: String
        switch file.metadata[name] {
        case .string(let text)?: kind = text
        case nil: kind = file.metadata["\(architecture).rope.scale_linear"] == nil ? "none" : "linear"
        default: throw wrong("rope.scaling.type", "is no text")
        }
        guard kind == "none" || kind == "linear" else {
            throw wrong("rope.scaling.type", "is '\(kind)'; 'none' and 'linear' are computed")
        }
        var factor = 1.0
        if kind == "linear" {
            factor = try double("rope.scaling.factor", orElse: try double("rope.scale_linear", orElse: 1))
            if factor == 0 { factor = 1 }
            guard factor.isFinite, factor > 0 else { throw wrong("rope.scaling.factor", "is \(factor)") }
        }
        guard file.tensor("rope_freqs.weight") != nil else {
            return factor == 1 ? .none : .linear(factor: factor)
        }
        let divisors = try file.stored("rope_freqs.weight", shape: [headDimension / 2], heads: headDimension)
            .floats(count: headDimension / 2)
        return .divisors(divisors.map { Double($0) * factor })
    }

    /// The key of the metadata that a key of `config.json` stands for.
    func name(of key: String) -> String {
        let names = [
            "num_hidden_layers": "block_count", "hidden_size": "embedding_length",
            "num_attention_heads": "attention.head_count", "num_key_value_heads": "attention.head_count_kv",
            "head_dim": "attention.key_length", "intermediate_size": "feed_forward_length",
            "vocab_size": "vocab_size", "max_position_embeddings": "context_length", "rope_theta": "rope.freq_base",
            "rms_norm_eps": "attention.layer_norm_rms_epsilon",
        ]
        return "\(architecture).\(names[key] ?? key)"
    }
}
