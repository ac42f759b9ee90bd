/// The texts of one call's answer, in the shape of the public API.
struct CompletionFormat: Sendable {
    struct Usage: Hashable, Sendable {
        var promptTokens: Int
        var completionTokens: Int
        /// Prompt tokens that were found in the prefix cache; `nil` without one.
        var cachedTokens: Int?
    }

    struct Choice: Sendable {
        var text = ""
        var finish: FinishReason?
    }

    let kind: CompletionCall.Kind
    let id: String
    /// Seconds since 1970.
    let created: Int
    let model: String
    /// Whether each piece of a stream has room for the counts, which only the last one fills.
    let includesUsage: Bool

    /// The whole answer.
    func whole(_ choices: [Choice], _ usage: Usage) -> [UInt8] {
        text(object: kind == .chat ? "chat.completion" : "text_completion") { text in
            text.key("choices")
            text.array { text in
                for (index, choice) in choices.enumerated() {
                    text.object { write(choice, index: index, key: "message", isFirst: true, into: &$0) }
                }
            }
            write(usage, into: &text)
        }
    }

    /// A piece of a stream, as a server-sent event.
    ///
    /// - Parameter isFirst: Whether it is its choice's first, which says in a chat who speaks.
    func piece(_ choice: Choice, index: Int, isFirst: Bool) -> [UInt8] {
        event { text in
            text.key("choices")
            text.array { text in
                text.object { write(choice, index: index, key: "delta", isFirst: isFirst, into: &$0) }
            }
            if includesUsage { text.null("usage") }
        }
    }

    /// The last piece of a stream that tells its counts.
    func piece(_ usage: Usage) -> [UInt8] {
        event { text in
            text.key("choices")
            text.array { _ in }
            write(usage, into: &text)
        }
    }

    static let done = Array("data: [DONE]\n\n".utf8)

    static func event(_ error: APIError) -> [UInt8] { Array("data: \(error.json)\n\n".utf8) }

    private func event(_ body: (inout JSONText) -> Void) -> [UInt8] {
        let json = text(object: kind == .chat ? "chat.completion.chunk" : "text_completion", body)
        return Array("data: ".utf8) + json + Array("\n\n".utf8)
    }

    private func text(object: String, _ body: (inout JSONText) -> Void) -> [UInt8] {
        var text = JSONText()
        text.object { text in
            text.member("id", id)
            text.member("object", object)
            text.member("created", created)
            text.member("model", model)
            body(&text)
        }
        return text.bytes
    }

    private func write(_ choice: Choice, index: Int, key: String, isFirst: Bool, into text: inout JSONText) {
        text.member("index", index)
        switch kind {
        case .completion: text.member("text", choice.text)
        case .chat:
            text.key(key)
            text.object { text in
                if isFirst { text.member("role", "assistant") }
                text.member("content", choice.text)
            }
        }
        text.null("logprobs")
        text.member("finish_reason", choice.finish?.rawValue)
    }

    private func write(_ usage: Usage, into text: inout JSONText) {
        text.key("usage")
        text.object { text in
            text.member("prompt_tokens", usage.promptTokens)
            text.member("completion_tokens", usage.completionTokens)
            text.member("total_tokens", usage.promptTokens + usage.completionTokens)
            guard let cached = usage.cachedTokens else { return }
            text.key("prompt_tokens_details")
            text.object { $0.member("cached_tokens", cached) }
        }
    }
}
