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
        let heads = keys.num_attention_heads
        self.init(
            layers: keys.num_hidden_layers, hidden: keys.hidden_size, heads: heads,
            keyValueHeads: keys.num_key_value_heads ?? heads,
            headDimension: keys.head_dim ?? (heads > 0 ? keys.hidden_size / heads : 0),
            feedForward: keys.intermediate_size, vocabulary: keys.vocab_size,
            ropeTheta: keys.rope_theta ?? keys.rope_parameters?.rope_theta ?? 10_000, normEpsilon: keys.rms_norm_eps,
            tiedEmbeddings: keys.tie_word_embeddings ?? false, maxContext: keys.max_position_embeddings)
    }
}

/// The keys of `config.json` that matter, under their own names.
private struct ConfigurationKeys: Decodable {
    struct Rope: Decodable {
        var rope_theta: Double?
        var rope_type: String?
        var type: String?
    }
    struct Anything: Decodable {}

    var model_type: String
    var hidden_size: Int
    var intermediate_size: Int
    var num_hidden_layers: Int
    var num_attention_heads: Int
    var num_key_value_heads: Int?
    var head_dim: Int?
    var vocab_size: Int
    var max_position_embeddings: Int
    var rms_norm_eps: Double
    var rope_theta: Double?
    var rope_parameters: Rope?
    var rope_scaling: Rope?
    var tie_word_embeddings: Bool?
    var hidden_act: String?
    var attention_bias: Bool?
    var mlp_bias: Bool?
    var quantization_config: Anything?

    /// What the file asks for that would silently give wrong logits.
    var unsupported: (key: String, text: String)? {
        if model_type != "llama" { return ("model_type", "is '\(model_type)'; only 'llama' is computed") }
        if let hidden_act, hidden_act != "silu" {
            return ("hidden_act", "is '\(hidden_act)'; only 'silu' is computed")
        }
        if attention_bias == true { return ("attention_bias", "is true; biases are not computed") }
        if mlp_bias == true { return ("mlp_bias", "is true; biases are not computed") }
        if quantization_config != nil { return ("quantization_config", "is set; weights are F32, F16 or BF16") }
        for (key, rope) in [("rope_parameters", rope_parameters), ("rope_scaling", rope_scaling)] {
            if let type = rope?.rope_type ?? rope?.type, type != "default" {
                return (key, "asks for '\(type)' rotary scaling; only 'default' is computed")
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
