import CKernels
import Foundation

@testable import InferenceCore

/// A small random model of an architecture: as files, and computed plainly in 64 bits from the architecture's definition.
struct TinyModel {
    enum Architecture: String, CaseIterable {
        case llama, llama3, linear, mistral, qwen2, qwen3

        var modelType: String { self == .llama3 || self == .linear ? "llama" : rawValue }
        /// The name in a GGUF file.
        var gguf: String { self == .mistral ? "llama" : modelType }
    }

    var architecture: Architecture
    let layers = 2
    let hidden = 32
    let heads = 4
    let keyValueHeads = 2
    /// Not hidden / heads in Qwen3 and Mistral.
    var headDimension: Int { architecture == .qwen3 ? 16 : architecture == .mistral ? 24 : 8 }
    let feedForward = 64
    let vocabulary = 40
    let theta = 5000.0
    let epsilon = 1e-6
    var tied: Bool { architecture == .qwen2 }

    struct Tensor {
        var name: String
        var shape: [Int]
        var type: UInt32
        var weights: EncodedWeights
    }
    var tensors: [Tensor] = []

    init(_ architecture: Architecture) {
        self.architecture = architecture
        // Mistral's attention is 96 wide: three blocks.
        let (query, pair) = (heads * headDimension, keyValueHeads * headDimension)
        add("model.embed_tokens.weight", [vocabulary, hidden])
        for layer in 0..<layers {
            let prefix = "model.layers.\(layer)."
            add(prefix + "input_layernorm.weight", [hidden])
            for (name, width) in [("q", query), ("k", pair), ("v", pair)] {
                add(prefix + "self_attn.\(name)_proj.weight", [width, hidden])
                if architecture == .qwen2 { add(prefix + "self_attn.\(name)_proj.bias", [width]) }
            }
            if architecture == .qwen3 {
                add(prefix + "self_attn.q_norm.weight", [headDimension])
                add(prefix + "self_attn.k_norm.weight", [headDimension])
            }
            add(prefix + "self_attn.o_proj.weight", [hidden, query])
            add(prefix + "post_attention_layernorm.weight", [hidden])
            add(prefix + "mlp.gate_proj.weight", [feedForward, hidden])
            add(prefix + "mlp.up_proj.weight", [feedForward, hidden])
            add(prefix + "mlp.down_proj.weight", [hidden, feedForward])
        }
        add("model.norm.weight", [hidden])
        if !tied { add("lm_head.weight", [vocabulary, hidden]) }
    }

    /// Matrices take the types in turn, so that stacks are mixed.
    private mutating func add(_ name: String, _ shape: [Int]) {
        let kind = EncodedWeights.types[shape.count == 1 ? 0 : (tensors.count * 5 + 3) % EncodedWeights.types.count]
        var weights = EncodedWeights(kind.type, count: shape.reduce(1, *), seed: 100 + tensors.count)
        if name.contains("norm") {
            for i in weights.floats.indices { weights.floats[i] = 1 + 2 * weights.floats[i] }
            weights.bytes = weights.floats.flatMap { GGUFBytes.bytes($0.bitPattern) }
        }
        tensors.append(Tensor(name: name, shape: shape, type: kind.gguf, weights: weights))
    }

    // MARK: - Files

    func gguf() -> GGUFBytes {
        var file = GGUFBytes()
        let name = architecture.gguf
        file.add("general.architecture", name)
        for (key, value) in [
            ("block_count", layers), ("embedding_length", hidden), ("feed_forward_length", feedForward),
            ("context_length", 64), ("attention.head_count", heads), ("attention.head_count_kv", keyValueHeads),
            ("attention.key_length", headDimension), ("attention.value_length", headDimension),
            ("rope.dimension_count", headDimension),
        ] { file.add("\(name).\(key)", value) }
        file.add("\(name).rope.freq_base", Float(theta))
        file.add("\(name).attention.layer_norm_rms_epsilon", Float(epsilon))
        if architecture == .linear {
            file.add("\(name).rope.scaling.type", "linear")
            file.add("\(name).rope.scaling.factor", Float(4))
        }
        if architecture == .llama3 {
            let plain = frequencies(.llama)
            let divisors = zip(plain, frequencies(.llama3)).map { Float($0 / $1) }
            file.add(
                "rope_freqs.weight", shape: [divisors.count], type: 0,
                divisors.flatMap { GGUFBytes.bytes($0.bitPattern) })
        }
        for tensor in tensors {
            var bytes = tensor.weights.bytes
            if name == "llama", tensor.name.contains("q_proj") || tensor.name.contains("k_proj") {
                // As the converter does: the halves of each head are interleaved.
                let rowBytes = bytes.count / tensor.shape[0]
                let half = headDimension / 2
                bytes = (0..<tensor.shape[0]).flatMap { row in
                    let (head, place) = row.quotientAndRemainder(dividingBy: headDimension)
                    let source = head * headDimension + place % 2 * half + place / 2
                    return tensor.weights.bytes[(source * rowBytes)..<((source + 1) * rowBytes)]
                }
            }
            file.add(GGUFFile.name(ofTensor: tensor.name), shape: tensor.shape, type: tensor.type, bytes)
        }
        return file
    }

    /// Writes `config.json`, two shards of 32-bit floats and their index.
    func writeFolder(_ folder: URL) throws {
        var config: [String: Any] = [
            "model_type": architecture.modelType, "hidden_size": hidden, "intermediate_size": feedForward,
            "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": keyValueHeads,
            "head_dim": headDimension, "vocab_size": vocabulary, "max_position_embeddings": 64,
            "rms_norm_eps": epsilon, "rope_theta": theta, "tie_word_embeddings": tied,
        ]
        if architecture == .linear { config["rope_scaling"] = ["type": "linear", "factor": 4.0] as [String: Any] }
        if architecture == .llama3 {
            config["rope_scaling"] =
                [
                    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 32,
                ] as [String: Any]
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try JSONSerialization.data(withJSONObject: config).write(to: folder.appending(path: "config.json"))
        var map: [String: String] = [:]
        for (shard, part) in [tensors.prefix(7), tensors.dropFirst(7)].enumerated() {
            let name = "model-0000\(shard + 1)-of-00002.safetensors"
            var header: [String: Any] = [:]
            var data: [UInt8] = []
            for tensor in part {
                let bytes = tensor.weights.floats.flatMap { GGUFBytes.bytes($0.bitPattern) }
                header[tensor.name] =
                    ["dtype": "F32", "shape": tensor.shape, "data_offsets": [data.count, data.count + bytes.count]]
                    as [String: Any]
                data += bytes
                map[tensor.name] = name
            }
            let json = try JSONSerialization.data(withJSONObject: header)
            try (Data(GGUFBytes.bytes(UInt64(json.count))) + json + Data(data)).write(to: folder.appending(path: name))
        }
        try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(
            to: folder.appending(path: "model.safetensors.index.json"))
    }

    // MARK: - The plain forward pass

    /// The angle of each pair that one position adds.
    func frequencies(_ scaling: Architecture) -> [Double] {
        (0..<(headDimension / 2)).map { pair in
            let plain = 1 / pow(theta, Double(2 * pair) / Double(headDimension))
            switch scaling {
            case .linear: return plain / 4
            case .llama3:
                // Factor 8, from 1 to 4 turns in 32 tokens.
                let wavelength = 2 * Double.pi / plain
                if wavelength < 32.0 / 4 { return plain }
                if wavelength > 32.0 / 1 { return plain / 8 }
                let smooth = (32 / wavelength - 1) / (4 - 1)
                return (1 - smooth) * plain / 8 + smooth * plain
            default: return plain
            }
        }
    }

    /// Logits of every position.
    func logits(_ tokens: [Int]) -> [[Double]] {
        var weights: [String: [Double]] = [:]
        for tensor in tensors { weights[tensor.name] = tensor.weights.floats.map(Double.init) }
        func product(_ name: String, _ x: [Double]) -> [Double] {
            let matrix = weights[name + ".weight"]!
            let bias = weights[name + ".bias"]
            var out: [Double] = []
            for output in 0..<(matrix.count / x.count) {
                var sum = bias?[output] ?? 0
                for i in x.indices { sum += matrix[output * x.count + i] * x[i] }
                out.append(sum)
            }
            return out
        }
        func normalised(_ x: [Double], _ name: String) -> [Double] {
            var squares = 0.0
            for value in x { squares += value * value }
            let scale = 1 / (squares / Double(x.count) + epsilon).squareRoot()
            let weight = weights[name + ".weight"]!
            return x.indices.map { x[$0] * scale * weight[$0] }
        }
        func head(_ x: [Double], _ index: Int) -> [Double] {
            Array(x[(index * headDimension)..<((index + 1) * headDimension)])
        }
        let angles = frequencies(architecture)
        func rotated(_ x: [Double], _ position: Int) -> [Double] {
            var out = x
            let half = headDimension / 2
            for i in 0..<half {
                let (c, s) = (cos(Double(position) * angles[i]), sin(Double(position) * angles[i]))
                out[i] = x[i] * c - x[i + half] * s
                out[i + half] = x[i + half] * c + x[i] * s
            }
            return out
        }
        let embedding = weights["model.embed_tokens.weight"]!
        var stream = tokens.map { Array(embedding[($0 * hidden)..<(($0 + 1) * hidden)]) }
        for layer in 0..<layers {
            let prefix = "model.layers.\(layer)."
            let attention = prefix + "self_attn."
            let inputs = stream.map { normalised($0, prefix + "input_layernorm") }
            func rotatedHeads(_ name: String, _ count: Int) -> [[[Double]]] {
                inputs.enumerated().map { (position, x) -> [[Double]] in
                    let all = product(attention + "\(name)_proj", x)
                    return (0..<count).map { (index) -> [Double] in
                        let one = head(all, index)
                        let normed = architecture == .qwen3 ? normalised(one, attention + "\(name)_norm") : one
                        return rotated(normed, position)
                    }
                }
            }
            let queries = rotatedHeads("q", heads)
            let keys = rotatedHeads("k", keyValueHeads)
            let values = inputs.map { product(attention + "v_proj", $0) }
            for position in tokens.indices {
                var mixed: [Double] = []
                for h in 0..<heads {
                    let group = h / (heads / keyValueHeads)
                    let query = queries[position][h]
                    var powers: [Double] = []
                    for past in 0...position {
                        let key = keys[past][group]
                        var score = 0.0
                        for i in 0..<headDimension { score += query[i] * key[i] }
                        powers.append(exp(score / Double(headDimension).squareRoot()))
                    }
                    let sum = powers.reduce(0, +)
                    for i in 0..<headDimension {
                        var value = 0.0
                        for past in 0...position { value += powers[past] / sum * head(values[past], group)[i] }
                        mixed.append(value)
                    }
                }
                stream[position] = zip(stream[position], product(attention + "o_proj", mixed)).map(+)
                let x = normalised(stream[position], prefix + "post_attention_layernorm")
                let gate = product(prefix + "mlp.gate_proj", x)
                let up = product(prefix + "mlp.up_proj", x)
                let inner: [Double] = gate.indices.map { gate[$0] / (1 + exp(-gate[$0])) * up[$0] }
                stream[position] = zip(stream[position], product(prefix + "mlp.down_proj", inner)).map(+)
            }
        }
        return stream.map { product(tied ? "model.embed_tokens" : "lm_head", normalised($0, "model.norm")) }
    }
}
