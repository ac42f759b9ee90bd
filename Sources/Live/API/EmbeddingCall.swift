import Foundation
import InferenceCore

/// A checked call of `/v1/embeddings`: texts to make a vector of each, and how the vectors are written.
struct EmbeddingCall: Sendable {
    enum Encoding: String, Sendable {
        case float
        /// Little-endian 32-bit floats, as the official clients ask for.
        case base64
    }

    var requests: [GenerationRequest]
    var encoding: Encoding

    init(body: [UInt8], priority: Int?, model: ServedModel) throws(APIError) {
        let fields = try RequestFields(body: body)
        try model.check(name: fields)
        if fields["dimensions"] != nil {
            throw .notSupported("dimensions", "'dimensions' is not supported: a vector has the width of the model")
        }
        let format = try fields.string("encoding_format") ?? "float"
        guard let encoding = Encoding(rawValue: format) else {
            throw .invalid("'encoding_format' is neither float nor base64", param: "encoding_format")
        }
        self.encoding = encoding
        let ownPriority = try fields.integer("priority")
        let salt = try fields.string("cache_salt") ?? ""
        requests = []
        for prompt in try PromptField("input", limit: 2048).read(fields, model: model) {
            guard prompt.count > 0 else { throw .invalid("'input' has a text without a token", param: "input") }
            guard prompt.count < model.maxContext else {
                throw .contextExceeded(
                    "This model's maximum context length is \(model.maxContext) tokens, and an input has \(prompt.count)",
                    param: "input")
            }
            var request = GenerationRequest(prompt: prompt)
            request.maxTokens = 1
            request.pooling = .mean
            request.priority = priority ?? ownPriority ?? 0
            request.cacheSalt = salt
            requests.append(request)
        }
    }

    /// The answer's text.
    func json(_ vectors: [[Float]], model: String, promptTokens: Int) -> [UInt8] {
        var text = JSONText()
        text.object { text in
            text.member("object", "list")
            text.member("model", model)
            text.key("data")
            text.array { text in
                for (index, vector) in vectors.enumerated() {
                    text.object { text in
                        text.member("object", "embedding")
                        text.member("index", index)
                        write(vector, into: &text)
                    }
                }
            }
            text.key("usage")
            text.object { text in
                text.member("prompt_tokens", promptTokens)
                text.member("total_tokens", promptTokens)
            }
        }
        return text.bytes
    }

    private func write(_ vector: [Float], into text: inout JSONText) {
        text.key("embedding")
        switch encoding {
        case .float: text.array { text in for value in vector { text.value(value) } }
        case .base64:
            let bytes = vector.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
            text.value(Data(bytes).base64EncodedString())
        }
    }
}
