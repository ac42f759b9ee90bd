/// What a client asks of a core: a prompt in tokens, how its answer is chosen, and its place in line.
public struct CoreRequest: Hashable, Sendable {
    /// The prompt: at least one token, all in the vocabulary.
    public var tokens: [Int32]
    /// Temperature 0 unless told otherwise. `maxTokens` and `stopTokens` end the request; stop strings are the business of
    /// who makes text of tokens (``OutputText``), and of ``CoreWorker/finish(_:)``.
    public var sampling: SamplingParameters
    /// A smaller number is served first.
    public var priority: Int
    /// Requests find each other's cached prefixes only where this is the same: one value for each tenant keeps tenants from
    /// learning of one another's prompts.
    public var cacheSalt: UInt64
    /// Whether an embedding of the prompt is wanted in place of tokens; `sampling` has no meaning then.
    public var pooling: Pooling?

    public init(
        tokens: [Int32], sampling: SamplingParameters = .greedy, priority: Int = 0, cacheSalt: UInt64 = 0,
        pooling: Pooling? = nil
    ) {
        self.tokens = tokens
        self.sampling = sampling
        self.priority = priority
        self.cacheSalt = cacheSalt
        self.pooling = pooling
    }
}

/// Why a core does not take a request.
public enum CoreRequestError: Error, Hashable, Sendable, CustomStringConvertible {
    case emptyPrompt
    /// A token of the prompt is not in the vocabulary.
    case unknownToken(Int32, position: Int)
    /// Prompt and answer together are longer than the longest context.
    case contextExceeded(promptTokens: Int, maxTokens: Int, maxContext: Int)
    /// A sampling parameter is out of its range.
    case sampling(field: String, problem: String)

    public var description: String {
        switch self {
        case .emptyPrompt: "the prompt has no tokens"
        case .unknownToken(let token, let position):
            "token \(token) at position \(position) of the prompt is not in the vocabulary"
        case .contextExceeded(let prompt, let most, let context):
            "a prompt of \(prompt) tokens and \(most) tokens of output are more than the longest context of \(context)"
        case .sampling(let field, let problem): "\(field) \(problem)"
        }
    }
}
