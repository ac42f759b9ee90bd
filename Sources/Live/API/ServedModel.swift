import InferenceCore

/// The model that a worker serves: its name, its longest context, and how a text becomes a prompt.
public struct ServedModel: Sendable {
    public enum Prompts: Sendable {
        /// The model's own tokens, and its chat template where it is one that is rendered here.
        case tokenizer(Tokenizer, Result<ChatTemplate, ChatTemplateError>)
        /// Each byte is a token: for random weights, which know no language.
        case bytes(vocabulary: Int)
        /// Only the length counts, and to a prefix cache what is the same: a token for every 4 bytes of text, rounded up.
        case counted
    }

    public var name: String
    public var maxContext: Int
    public var prompts: Prompts
    /// When it was loaded, in seconds since 1970.
    public var created: Int
    /// Where its weights are from, or what stands in for them.
    public var root: String

    public init(name: String, maxContext: Int, prompts: Prompts, created: Int, root: String) {
        self.name = name
        self.maxContext = maxContext
        self.prompts = prompts
        self.created = created
        self.root = root
    }

    /// Whether the engine only plays a model: then lengths that a client leaves open are drawn.
    var isEmulated: Bool { if case .counted = prompts { true } else { false } }

    /// - Throws: An error when a request names another model.
    func check(name fields: RequestFields) throws(APIError) {
        guard let name = try fields.string("model"), name != self.name else { return }
        throw .unknownModel(name, served: self.name)
    }

    /// Tokens that the model has; `nil` where no token means anything.
    var vocabulary: Int? {
        switch prompts {
        case .tokenizer(let tokenizer, _): tokenizer.vocabulary
        case .bytes(let count): count
        case .counted: nil
        }
    }

    func prompt(text: String) -> GenerationRequest.Prompt {
        switch prompts {
        case .tokenizer(let tokenizer, _): .tokens(tokenizer.encode(text))
        case .bytes: .tokens(text.utf8.map(Int32.init))
        case .counted: .tokens(Self.countedTokens(text))
        }
    }

    /// Four bytes a token, so that equal beginnings have equal tokens.
    private static func countedTokens(_ text: String) -> [Int32] {
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: 4).map { start in
            Int32(bitPattern: bytes[start..<min(start + 4, bytes.count)].reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    /// - Throws: An error when a number is no token of the model.
    func prompt(tokens: [Int], param: String) throws(APIError) -> GenerationRequest.Prompt {
        guard let vocabulary else { return .tokens(tokens.map { Int32(truncatingIfNeeded: $0) }) }
        if let wrong = tokens.first(where: { $0 < 0 || $0 >= vocabulary }) {
            throw .invalid("'\(param)' names token \(wrong), and the model has 0 to \(vocabulary - 1)", param: param)
        }
        return .tokens(tokens.map(Int32.init))
    }

    func prompt(messages: [ChatMessage]) throws(APIError) -> GenerationRequest.Prompt {
        switch prompts {
        case .tokenizer(let tokenizer, .success(let template)):
            do {
                return .tokens(tokenizer.encode(try template.render(messages, for: tokenizer)))
            } catch {
                throw .invalid("\(error)", param: "messages")
            }
        case .tokenizer(_, .failure(let problem)):
            throw .invalid("\(problem)", param: "messages", code: "chat_template_missing")
        case .bytes, .counted:
            return prompt(text: messages.map { "\($0.role.rawValue): \($0.content)\n" }.joined())
        }
    }
}
