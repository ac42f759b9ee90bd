#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ModelConfiguration {
    /// Reads a Hugging Face `config.json`.
    ///
    /// - Throws: ``ModelFileError`` when the file cannot be read, is no JSON, lacks a key, or describes an architecture
    ///   that this core does not compute.
    public init(file: String) throws(ModelFileError) {
        let bytes = try ModelFile.contents(of: file, limit: 16 << 20)
        let keys: ConfigurationKeys
        do {
            keys = try JSONDecoder().decode(ConfigurationKeys.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw ModelFileError(file: file, problem: error.reason)
        } catch {
            throw ModelFileError(file: file, problem: "is no readable JSON")
        }
        if let unsupported = keys.unsupported {
            throw ModelFileError(file: file, part: unsupported.key, problem: unsupported.text)
        }
        self.init(keys)
        if let problem {
            throw ModelFileError(file: file, part: problem.key, problem: problem.text)
        }
    }

    private init(_ keys: ConfigurationKeys) {
        self.init(
            layers: keys.layers, hidden: keys.hidden, heads: keys.heads,
            keyValueHeads: keys.keyValueHeads ?? keys.heads,
            headDimension: keys.headDimension ?? keys.usualHeadDimension,
            feedForward: keys.feedForward, vocabulary: keys.vocabulary,
            ropeTheta: keys.ropeTheta ?? keys.ropeParameters?.theta ?? 10_000, normEpsilon: keys.normEpsilon,
            tiedEmbeddings: keys.tiedEmbeddings ?? false, maxContext: keys.context,
            attentionBias: keys.modelType == "qwen2", headNorms: keys.modelType == "qwen3",
            ropeScaling: (keys.ropeParameters ?? keys.ropeScaling)?.scaling ?? .none)
    }
}

/// The keys of `config.json` that matter.
private struct ConfigurationKeys: Decodable {
    struct Rope: Decodable {
        var theta: Double?
        var kind: String?
        var oldKind: String?
        var factor: Double?
        var low: Double?
        var high: Double?
        var originalContext: Int?

        /// `nil` when a number is absent, or the kind is not computed.
        var scaling: RopeScaling? {
            switch kind ?? oldKind ?? "default" {
            case "default": return RopeScaling.none
            case "linear": return factor.map { .linear(factor: $0) }
            case "llama3":
                guard let factor, let low, let high, let originalContext else { return nil }
                return .llama3(factor: factor, low: low, high: high, originalContext: originalContext)
            default: return nil
            }
        }

        enum CodingKeys: String, CodingKey {
            case theta = "rope_theta"
            case kind = "rope_type"
            case oldKind = "type"
            case factor
            case low = "low_freq_factor"
            case high = "high_freq_factor"
            case originalContext = "original_max_position_embeddings"
        }
    }
    struct Anything: Decodable {}

    var modelType: String
    var hidden: Int
    var feedForward: Int
    var layers: Int
    var heads: Int
    var keyValueHeads: Int?
    var headDimension: Int?
    var vocabulary: Int
    var maxContext: Int
    var normEpsilon: Double
    var ropeTheta: Double?
    var ropeParameters: Rope?
    var ropeScaling: Rope?
    var tiedEmbeddings: Bool?
    var activation: String?
    var attentionBias: Bool?
    var feedForwardBias: Bool?
    var quantization: Anything?
    var usesSlidingWindow: Bool?
    var slidingWindow: Int?

    enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case hidden = "hidden_size"
        case feedForward = "intermediate_size"
        case layers = "num_hidden_layers"
        case heads = "num_attention_heads"
        case keyValueHeads = "num_key_value_heads"
        case headDimension = "head_dim"
        case vocabulary = "vocab_size"
        case maxContext = "max_position_embeddings"
        case normEpsilon = "rms_norm_eps"
        case ropeTheta = "rope_theta"
        case ropeParameters = "rope_parameters"
        case ropeScaling = "rope_scaling"
        case tiedEmbeddings = "tie_word_embeddings"
        case activation = "hidden_act"
        case attentionBias = "attention_bias"
        case feedForwardBias = "mlp_bias"
        case quantization = "quantization_config"
        case usesSlidingWindow = "use_sliding_window"
        case slidingWindow = "sliding_window"
    }

    /// What the architecture's own code takes when the file says nothing.
    var usualHeadDimension: Int { modelType == "qwen3" ? 128 : heads > 0 ? hidden / heads : 0 }

    /// A sliding window changes nothing before it is full.
    var context: Int {
        let slides = modelType == "mistral" ? true : usesSlidingWindow ?? false
        guard slides, let slidingWindow, slidingWindow > 0 else { return maxContext }
        return min(maxContext, slidingWindow)
    }

    /// What the file asks for that would silently give wrong logits.
    var unsupported: (key: String, text: String)? {
        if !["llama", "mistral", "qwen2", "qwen3"].contains(modelType) {
            return ("model_type", "is '\(modelType)'; 'llama', 'mistral', 'qwen2' and 'qwen3' are computed")
        }
        if let activation, activation != "silu" {
            return ("hidden_act", "is '\(activation)'; only 'silu' is computed")
        }
        if attentionBias == true, modelType != "qwen2" {
            return ("attention_bias", "is true; only the biases of 'qwen2' are computed")
        }
        if feedForwardBias == true { return ("mlp_bias", "is true; biases are not computed") }
        if quantization != nil { return ("quantization_config", "is set; weights are F32, F16 or BF16") }
        for (key, rope) in [("rope_parameters", ropeParameters), ("rope_scaling", ropeScaling)] {
            guard let rope, rope.scaling == nil else { continue }
            let kind = rope.kind ?? rope.oldKind ?? "default"
            return ["linear", "llama3"].contains(kind)
                ? (key, "lacks a number that '\(kind)' rotary scaling needs")
                : (key, "asks for '\(kind)' rotary scaling; 'default', 'linear' and 'llama3' are computed")
        }
        return nil
    }
}

extension DecodingError {
    /// What is wrong, in one line.
    var reason: String {
        func path(_ context: Context) -> String {
            context.codingPath.isEmpty ? "" : "'" + context.codingPath.map(\.stringValue).joined(separator: ".") + "' "
        }
        switch self {
        case .keyNotFound(let key, let context):
            return "\(path(context))lacks the key '\(key.stringValue)'"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return "\(path(context))is not of type \(type)"
        case .dataCorrupted(let context):
            return "\(path(context))is no readable JSON"
        @unknown default:
            return "is no readable JSON"
        }
    }
}
