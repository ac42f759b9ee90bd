import Formats
import Foundation
import NIOCore
import NIOPosix
import Units

/// What a server tells of itself beside its answers: its metrics page, its models, and llama.cpp's properties. What it does
/// not tell is `nil`.
public struct EndpointInquiry: Sendable {
    private let target: LoadTarget
    private let address: SocketAddress
    private let group: MultiThreadedEventLoopGroup
    private let fields: [HeaderField]

    /// - Throws: When the host has no address.
    public init(
        _ target: LoadTarget, fields: [HeaderField], on group: MultiThreadedEventLoopGroup
    ) throws(LoadError) {
        self.target = target
        self.fields = fields
        self.group = group
        address = try target.address()
    }

    /// Whether the server answers at all, and whether it is ready; `nil` where nothing listens.
    public func isReady() async -> Bool? {
        if let status = await get("/health")?.status, status != 404 { return status == 200 }
        return await get("/v1/models").map { $0.status == 200 }
    }

    /// The metrics page; `nil` where there is none, or no Prometheus text.
    public func metrics() async -> MetricsPage? {
        guard let body = await get("/metrics"), body.status == 200 else { return nil }
        return try? MetricsPage(Array(body.body.utf8))
    }

    /// The longest context that `/v1/models` tells of a model, as vLLM does.
    public func maxContext(of model: String) async -> Int? {
        struct List: Decodable {
            struct Model: Decodable {
                var id: String
                var maxContext: Int?

                enum CodingKeys: String, CodingKey {
                    case id
                    case maxContext = "max_model_len"
                }
            }
            var data: [Model]
        }
        guard let answer = await get("/v1/models"), answer.status == 200,
            let list = try? JSONDecoder().decode(List.self, from: Data(answer.body.utf8))
        else { return nil }
        return list.data.first { $0.id == model }?.maxContext
    }

    /// Slots, and the context of each, as llama.cpp's `/props` tells them.
    public func slots() async -> (count: Int, context: Int)? {
        struct Properties: Decodable {
            struct Settings: Decodable {
                var context: Int
                enum CodingKeys: String, CodingKey { case context = "n_ctx" }
            }
            var slots: Int
            var settings: Settings
            enum CodingKeys: String, CodingKey {
                case slots = "total_slots"
                case settings = "default_generation_settings"
            }
        }
        guard let answer = await get("/props"), answer.status == 200,
            let properties = try? JSONDecoder().decode(Properties.self, from: Data(answer.body.utf8)),
            properties.slots > 0
        else { return nil }
        return (properties.slots, properties.settings.context)
    }

    private func get(_ path: String) async -> PlainCall.Answer? {
        var head = "GET \(target.path(path)) HTTP/1.1\r\nHost: \(target.authority)\r\n"
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        let bytes = ByteBuffer(string: head + "Connection: close\r\n\r\n")
        return try? await PlainCall.send(bytes, to: address, on: group.next(), within: .seconds(10))
    }
}

extension MetricsPage {
    /// Tokens of KV cache, from the cache's configuration as vLLM tells it; `nil` where it does not.
    public var kvTokens: Int? {
        guard let labels = self["vllm:cache_config_info"].first?.labels else { return nil }
        if let tokens = labels["kv_cache_size_tokens"].flatMap(Int.init), tokens > 0 { return tokens }
        guard let blocks = labels["num_gpu_blocks"].flatMap(Int.init),
            let size = labels["block_size"].flatMap(Int.init), blocks > 0, size > 0
        else { return nil }
        return blocks * size
    }

    /// Which engine's page it is.
    public var engine: String? {
        for (prefix, name) in [("vllm:", "vLLM"), ("sglang:", "SGLang"), ("llamacpp:", "llama.cpp"), ("tgi_", "TGI")]
        where names.contains(where: { $0.hasPrefix(prefix) }) {
            return names.contains { $0.hasPrefix("tidegate:") } ? "tidegate worker" : name
        }
        return nil
    }

    /// Seconds and count of all TTFTs that the server has timed; `nil` where it does not time them.
    public var ttft: (seconds: Double, count: Double)? {
        guard let seconds = sum("vllm:time_to_first_token_seconds_sum"),
            let count = sum("vllm:time_to_first_token_seconds_count")
        else { return nil }
        return (seconds, count)
    }
}
