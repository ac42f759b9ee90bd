/// The dimensions of a published model that step times and memory follow from.
///
/// Kernel tables are taken on one layer of a model, so the number of layers has to come from the model itself.
public struct ModelShape: Hashable, Sendable {
    /// The name that tables carry, such as `meta-llama/Llama-3.1-8B`.
    public var name: String
    public var layers: Int
    public var hiddenSize: Int
    public var keyValueHeads: Int
    public var headDimension: Int
    public var maxContext: Int64
    /// All weights.
    public var parameters: Double
    /// Experts of a layer and how many of them a token goes to; `nil` for a dense model.
    public var experts: Experts?

    public struct Experts: Hashable, Sendable {
        public var count: Int
        public var perToken: Int

        /// The experts of a layer that some token of a step goes to, when each token chooses evenly.
        ///
        /// A trained router is less even and activates up to an eighth fewer.
        func activated(tokens: Double) -> Double {
            var untouched = 1.0
            let missed = 1 - Double(perToken) / Double(count)
            // missed^tokens without the C library: the same on every system.
            var (power, left) = (missed, Int(tokens.rounded()))
            while left > 0 {
                if left & 1 == 1 { untouched *= power }
                power *= power
                left >>= 1
            }
            return Double(count) * (1 - untouched)
        }
    }

    /// Shapes by name.
    ///
    /// - Source: the models' published `config.json` files (`num_hidden_layers`, `hidden_size`, `num_key_value_heads`,
    ///   `head_dim`, `max_position_embeddings`, `num_experts`, `num_experts_per_tok`) and model cards (parameters).
    public static let known: [ModelShape] = [
        ModelShape(
            name: "meta-llama/Llama-3.1-8B", layers: 32, hiddenSize: 4096, keyValueHeads: 8, headDimension: 128,
            maxContext: 131_072, parameters: 8.03e9),
        ModelShape(
            name: "meta-llama/Llama-3.1-8B-Instruct", layers: 32, hiddenSize: 4096, keyValueHeads: 8,
            headDimension: 128, maxContext: 131_072, parameters: 8.03e9),
        ModelShape(
            name: "meta-llama/Llama-3.1-70B", layers: 80, hiddenSize: 8192, keyValueHeads: 8, headDimension: 128,
            maxContext: 131_072, parameters: 70.6e9),
        ModelShape(
            name: "Qwen/Qwen3-8B", layers: 36, hiddenSize: 4096, keyValueHeads: 8, headDimension: 128,
            maxContext: 40_960, parameters: 8.2e9),
        ModelShape(
            name: "Qwen/Qwen3-32B", layers: 64, hiddenSize: 5120, keyValueHeads: 8, headDimension: 128,
            maxContext: 40_960, parameters: 32.8e9),
        ModelShape(
            name: "Qwen/Qwen3-30B-A3B-Instruct-2507", layers: 48, hiddenSize: 2048, keyValueHeads: 4,
            headDimension: 128, maxContext: 262_144, parameters: 30.5e9, experts: Experts(count: 128, perToken: 8)),
        ModelShape(
            name: "mistralai/Mixtral-8x7B-v0.1", layers: 32, hiddenSize: 4096, keyValueHeads: 8, headDimension: 128,
            maxContext: 32_768, parameters: 46.7e9, experts: Experts(count: 8, perToken: 2)),
        ModelShape(
            name: "meta-llama/Llama-2-70b-hf", layers: 80, hiddenSize: 8192, keyValueHeads: 8, headDimension: 128,
            maxContext: 4096, parameters: 69.0e9),
    ]

    public static func named(_ name: String) -> ModelShape? { known.first { $0.name == name } }

    /// Bytes of KV cache per token, keys and values in two bytes each.
    public var keyValueBytesPerToken: Int64 { Int64(2 * layers * keyValueHeads * headDimension * 2) }

    /// Tokens of KV cache that fit beside the weights, both in two bytes a number, spread over `degree` cards.
    ///
    /// - Parameter memory: Bytes of one card. A tenth stays free, as vLLM's `gpu_memory_utilization` leaves it, and 1.25 GB
    ///   go to activations and CUDA graphs, which is what an RTX 4090 with 2,048 batched tokens needed.
    func cacheTokens(memory: Double, degree: Int) -> Int64 {
        let left = 0.9 * memory - 1.25e9 - parameters * 2 / Double(degree)
        return max(0, Int64(left * Double(degree) / Double(keyValueBytesPerToken)))
    }
}
