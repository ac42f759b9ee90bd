/// The dimensions of a published model that step times and memory follow from.
///
/// Kernel tables are taken on one layer of a model, so the number of layers has to come from the model itself.
public struct ModelShape: Hashable, Sendable {
    /// The name that tables carry, such as `meta-llama/Llama-3.1-8B`.
    public var name: String
    public var layers: Int
    public var keyValueHeads: Int
    public var headDimension: Int
    public var maxContext: Int64

    /// Shapes by name.
    ///
    /// - Source: the models' published `config.json` files (`num_hidden_layers`, `num_key_value_heads`, `head_dim`,
    ///   `max_position_embeddings`).
    public static let known: [ModelShape] = [
        ModelShape(
            name: "meta-llama/Llama-3.1-8B", layers: 32, keyValueHeads: 8, headDimension: 128, maxContext: 131_072),
        ModelShape(
            name: "meta-llama/Llama-3.1-70B", layers: 80, keyValueHeads: 8, headDimension: 128, maxContext: 131_072),
        ModelShape(name: "Qwen/Qwen3-32B", layers: 64, keyValueHeads: 8, headDimension: 128, maxContext: 40_960),
        ModelShape(
            name: "meta-llama/Llama-2-70b-hf", layers: 80, keyValueHeads: 8, headDimension: 128, maxContext: 4096),
    ]

    public static func named(_ name: String) -> ModelShape? { known.first { $0.name == name } }

    /// Bytes of KV cache per token, keys and values in two bytes each.
    public var keyValueBytesPerToken: Int64 { Int64(2 * layers * keyValueHeads * headDimension * 2) }
}
