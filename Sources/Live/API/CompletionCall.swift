import InferenceCore

/// A checked call of `/v1/completions` or `/v1/chat/completions`: prompts to generate from, and how to answer.
struct CompletionCall: Sendable {
    enum Kind: Sendable { case completion, chat }

    var kind: Kind
    var requests: [GenerationRequest]
    var streams: Bool
    /// Whether a stream ends with the counts of its tokens.
    var includesUsage: Bool

    /// - Parameter priority: From a header, which counts more than the body.
    init(_ kind: Kind, body: [UInt8], priority: Int?, model: ServedModel) throws(APIError) {
        self.kind = kind
        let fields = try RequestFields(body: body)
        try model.check(name: fields)
        try Self.refuseUnsupported(fields)
        streams = try fields.bool("stream") ?? false
        let options = try fields.object("stream_options")
        if options != nil, !streams {
            throw .invalid("'stream_options' may only be given with 'stream': true", param: "stream_options")
        }
        includesUsage = try options?.bool("include_usage") ?? false

        let prompts =
            switch kind {
            case .completion: try PromptField("prompt", limit: 128).read(fields, model: model)
            case .chat: [try model.prompt(messages: try Self.messages(fields))]
            }
        var template = GenerationRequest(prompt: .length(0))
        let ownPriority = try fields.integer("priority")
        template.priority = priority ?? ownPriority ?? 0
        template.cacheSalt = try fields.string("cache_salt") ?? ""
        template.sampling = try Self.sampling(fields, model: model)
        template.maxTokens = try Self.maxTokens(fields, kind: kind, model: model)
        requests = []
        for prompt in prompts {
            var request = template
            request.prompt = prompt
            try Self.checkContext(request, param: kind == .chat ? "messages" : "prompt", model: model)
            requests.append(request)
        }
    }

    // MARK: - Prompts

    private static func messages(_ fields: RequestFields) throws(APIError) -> [ChatMessage] {
        guard let elements = try fields.array("messages") else {
            throw .invalid("'messages' is missing", param: "messages")
        }
        guard !elements.isEmpty else { throw .invalid("'messages' is empty", param: "messages") }
        var messages: [ChatMessage] = []
        for (index, element) in elements.enumerated() {
            let message = try RequestFields(element, at: "messages[\(index)]")
            guard let name = try message.string("role") else {
                throw .invalid("'\(message.name("role"))' is missing", param: message.name("role"))
            }
            // The public API renamed a system message that a developer writes.
            guard let role = ChatMessage.Role(rawValue: name == "developer" ? "system" : name) else {
                throw .invalid(
                    "'\(message.name("role"))' is '\(name.prefix(64))'; this worker knows system, developer, user and "
                        + "assistant", param: message.name("role"))
            }
            messages.append(ChatMessage(role, try content(message)))
        }
        return messages
    }

    /// A string, or text parts that are put together.
    private static func content(_ message: RequestFields) throws(APIError) -> String {
        let place = message.name("content")
        switch message["content"] {
        case nil: throw .invalid("'\(place)' is missing", param: place)
        case .string(let text)?: return text
        case .array(let parts)?:
            var text = ""
            for (index, part) in parts.enumerated() {
                let fields = try RequestFields(part, at: "\(place)[\(index)]")
                guard try fields.string("type") == "text", let piece = try fields.string("text") else {
                    throw .invalid("'\(place)[\(index)]' is no text part; this worker reads text only", param: place)
                }
                text += piece
            }
            return text
        case let value?:
            throw .invalid(
                "'\(place)' must be a string or an array of parts, not \(value.kind)", param: place,
                code: "invalid_type")
        }
    }

    // MARK: - Fields

    /// Fields that change the answer and that this worker cannot honour: silence would be a wrong answer.
    private static func refuseUnsupported(_ fields: RequestFields) throws(APIError) {
        for name in ["n", "best_of"] {
            guard let count = try atLeast(1, name, fields), count != 1 else { continue }
            throw .notSupported(name, "'\(name)' is \(count); this worker gives one answer to a prompt")
        }
        for name in ["echo", "logprobs"] {
            // In completions `logprobs` is a count, 0 to 5, in chats a flag.
            if case .bool(false)? = fields[name] { continue }
            if name == "logprobs", case .number? = fields[name], let count = try fields.integer(name),
                !(0...5).contains(count)
            {
                throw .invalid("'logprobs' is \(count), not within 0...5", param: name)
            }
            guard fields[name] == nil else {
                throw .notSupported(name, "'\(name)' is not supported by this worker")
            }
        }
        if let count = try fields.integer("top_logprobs") {
            let limits = 0...SamplingParameters.logprobLimit
            guard limits.contains(count) else {
                throw .invalid("'top_logprobs' is \(count), not within \(limits)", param: "top_logprobs")
            }
            // With it the call has been refused above.
            throw .invalid("'top_logprobs' may only be given with 'logprobs': true", param: "top_logprobs")
        }
        if let count = try atLeast(0, "min_tokens", fields), count > 0 {
            throw .notSupported("min_tokens", "'min_tokens' is not supported by this worker")
        }
        if let suffix = try fields.string("suffix"), !suffix.isEmpty {
            throw .notSupported("suffix", "'suffix' is not supported by this worker")
        }
        for name in ["tools", "functions"] {
            if let elements = try fields.array(name), !elements.isEmpty {
                throw .notSupported(name, "'\(name)' are not supported by this worker")
            }
        }
        if let format = try fields.object("response_format"), let type = try format.string("type"), type != "text" {
            throw .notSupported("response_format", "This worker answers with text only, not '\(type.prefix(64))'")
        }
    }

    private static func sampling(
        _ fields: RequestFields, model: ServedModel
    ) throws(APIError) -> SamplingParameters {
        var sampling = SamplingParameters()
        sampling.temperature = try fields.number("temperature") ?? 1
        sampling.topP = try fields.number("top_p") ?? 1
        // vLLM writes "all" as -1, too.
        sampling.topK = max(0, try atLeast(-1, "top_k", fields) ?? 0)
        sampling.minP = try fields.number("min_p") ?? 0
        sampling.repetitionPenalty = try fields.number("repetition_penalty") ?? 1
        sampling.presencePenalty = try fields.number("presence_penalty") ?? 0
        sampling.frequencyPenalty = try fields.number("frequency_penalty") ?? 0
        sampling.logitBias = try fields.numbersByToken("logit_bias") ?? [:]
        sampling.stopStrings = try fields.strings("stop") ?? []
        sampling.seed =
            try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) } ?? UInt64.random(in: 0 ... .max)
        if let problem = sampling.problem {
            throw .invalid("'\(problem.field)' \(problem.text)", param: problem.field)
        }
        if let count = model.vocabulary, let token = sampling.logitBias.keys.first(where: { $0 < 0 || $0 >= count }) {
            throw .invalid(
                "'logit_bias' names token \(token), and the model has 0 to \(count - 1)", param: "logit_bias")
        }
        return sampling
    }

    private static func atLeast(_ least: Int, _ name: String, _ fields: RequestFields) throws(APIError) -> Int? {
        guard let value = try fields.integer(name) else { return nil }
        guard value >= least else { throw .invalid("'\(name)' is \(value), below \(least)", param: name) }
        return value
    }

    private static func maxTokens(
        _ fields: RequestFields, kind: Kind, model: ServedModel
    ) throws(APIError) -> Int? {
        let old = try atLeast(1, "max_tokens", fields)
        let new = try atLeast(1, "max_completion_tokens", fields)
        // Without a number a completion has 16 tokens, as in the public API, and a chat as many as it takes. An emulated
        // model draws a length for either.
        return new ?? old ?? (kind == .completion && !model.isEmulated ? 16 : nil)
    }

    private static func checkContext(
        _ request: GenerationRequest, param: String, model: ServedModel
    ) throws(APIError) {
        let count = request.prompt.count
        guard count > 0 else { throw .invalid("'\(param)' has no token", param: param) }
        guard count < model.maxContext else {
            throw .contextExceeded(
                "This model's maximum context length is \(model.maxContext) tokens, and the prompt has \(count): shorten it",
                param: param)
        }
        guard let wanted = request.maxTokens, wanted > model.maxContext - count else { return }
        throw .contextExceeded(
            "This model's maximum context length is \(model.maxContext) tokens, and \(count) of the prompt and \(wanted) "
                + "of the completion were asked for: reduce either", param: "max_tokens")
    }
}
