import InferenceCore

/// What an engine is asked for: one prompt, to be continued, or to be made one vector of.
public struct GenerationRequest: Sendable {
    public enum Prompt: Hashable, Sendable {
        case tokens([Int32])
        /// A prompt of which only the length is known: enough for an emulated engine, which finds nothing of it cached.
        case length(Int)

        public var count: Int {
            switch self {
            case .tokens(let tokens): tokens.count
            case .length(let count): count
            }
        }
    }

    public var prompt: Prompt
    /// How tokens are chosen and where they end, but for `maxTokens`, which is below.
    public var sampling = SamplingParameters()
    /// Tokens to generate; `nil` when the client leaves it to the model.
    public var maxTokens: Int?
    /// A smaller number is served first.
    public var priority = 0
    /// Whether an embedding of the prompt is wanted in place of tokens, and how its states become one.
    public var pooling: Pooling?
    /// Prompts share cached prefixes only with those of the same salt.
    public var cacheSalt = ""

    public init(prompt: Prompt) { self.prompt = prompt }
}

/// Why a generation ended.
public enum FinishReason: String, Hashable, Sendable, CaseIterable {
    /// The model ended it, or a stop string did.
    case stop
    /// It has as many tokens as were asked for or as the context holds.
    case length
    /// The client went away, or the worker stopped.
    case abort
    /// The engine could not go on.
    case error
}
