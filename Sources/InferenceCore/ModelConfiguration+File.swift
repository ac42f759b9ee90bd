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
            headDimension: keys.headDimension ?? (keys.heads > 0 ? keys.hidden / keys.heads : 0),
            feedForward: keys.feedForward, vocabulary: keys.vocabulary,
            ropeTheta: keys.ropeTheta ?? keys.ropeParameters?.theta ?? 10_000, normEpsilon: keys.normEpsilon,
            tiedEmbeddings: keys.tiedEmbeddings ?? false, maxContext: keys.maxContext)
    }
}

/// The keys of `config.json` that matter.
private struct ConfigurationKeys: Decodable {
    struct Rope: Decodable {
        var theta: Double?
        var kind: String?
        var oldKind: String?

        enum CodingKeys: String, CodingKey {
            case theta = "rope_theta"
            case kind = "rope_type"
            case oldKind = "type"
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
    }

    /// What the file asks for that would silently give wrong logits.
    var unsupported: (key: String, text: String)? {
        if modelType != "llama" { return ("model_type", "is '\(modelType)'; only 'llama' is computed") }
        if let activation, activation != "silu" {
            return ("hidden_act", "is '\(activation)'; only 'silu' is computed")
        }
        if attentionBias == true { return ("attention_bias", "is true; biases are not computed") }
        if feedForwardBias == true { return ("mlp_bias", "is true; biases are not computed") }
        if quantization != nil { return ("quantization_config", "is set; weights are F32, F16 or BF16") }
        for (key, rope) in [("rope_parameters", ropeParameters), ("rope_scaling", ropeScaling)] {
            if let kind = rope?.kind ?? rope?.oldKind, kind != "default" {
                return (key, "asks for '\(kind)' rotary scaling; only 'default' is computed")
            }
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
