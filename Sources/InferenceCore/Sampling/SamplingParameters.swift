/// How a request's tokens are chosen from the logits, and where its text ends.
///
/// Order, as vLLM's V1 engine has it: bias, penalties, temperature, min-p, top-k, top-p.
public struct SamplingParameters: Hashable, Sendable {
    /// 0 takes the most likely token, the lowest number of equals. Range: `0...2`.
    public var temperature: Double = 1
    /// The k most likely tokens; 0 for all.
    public var topK: Int = 0
    /// The fewest most likely tokens that have this much of what is left of the probability. Range: `0 < topP <= 1`.
    public var topP: Double = 1
    /// Tokens at least this often as likely as the most likely one. Range: `0...1`.
    public var minP: Double = 0
    /// The same seed gives the same tokens for the same logits, whatever else runs.
    public var seed: UInt64 = 0
    /// Logits of tokens in prompt or output are divided by it, or multiplied when negative. Above 0; 1 does nothing.
    public var repetitionPenalty: Double = 1
    /// Taken from the logit of a token that was generated. Range: `-2...2`.
    public var presencePenalty: Double = 0
    /// Taken from the logit of a token for each time it was generated. Range: `-2...2`.
    public var frequencyPenalty: Double = 0
    /// Added to logits, by token. Range: `-100...100`.
    public var logitBias: [Int32: Double] = [:]
    /// How many of the most likely tokens are told beside the chosen one; `nil` for no probabilities at all.
    public var logprobs: Int?
    public var stopStrings: [String] = []
    public var stopTokens: Set<Int32> = []
    /// At least 1.
    public var maxTokens: Int = 16

    /// The most stop strings, as in the public API, and the longest of them in bytes.
    public static let stopStringLimits = (count: 4, bytes: 1024)
    /// The most tokens that probabilities are told for.
    public static let logprobLimit = 20

    public init() {}

    /// The most likely token each time.
    public static let greedy: SamplingParameters = {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        return parameters
    }()

    /// The field that is out of its range, and what it must be; `nil` when all are well.
    public var problem: (field: String, text: String)? {
        if !(temperature >= 0 && temperature <= 2) { return ("temperature", "is \(temperature), not within 0...2") }
        if topK < 0 { return ("top_k", "is \(topK), below 0") }
        if !(topP > 0 && topP <= 1) { return ("top_p", "is \(topP), not above 0 and at most 1") }
        if !(minP >= 0 && minP <= 1) { return ("min_p", "is \(minP), not within 0...1") }
        if !(repetitionPenalty > 0 && repetitionPenalty <= 100) {
            return ("repetition_penalty", "is \(repetitionPenalty), not above 0 and at most 100")
        }
        if !(abs(presencePenalty) <= 2) { return ("presence_penalty", "is \(presencePenalty), not within -2...2") }
        if !(abs(frequencyPenalty) <= 2) { return ("frequency_penalty", "is \(frequencyPenalty), not within -2...2") }
        for (token, bias) in logitBias.sorted(by: { $0.key < $1.key }) where !(abs(bias) <= 100) {
            return ("logit_bias", "is \(bias) for token \(token), not within -100...100")
        }
        if let logprobs, logprobs < 0 || logprobs > Self.logprobLimit {
            return ("logprobs", "is \(logprobs), not within 0...\(Self.logprobLimit)")
        }
        if stopStrings.count > Self.stopStringLimits.count {
            return ("stop", "has \(stopStrings.count) strings, more than \(Self.stopStringLimits.count)")
        }
        for text in stopStrings where text.isEmpty || text.utf8.count > Self.stopStringLimits.bytes {
            return ("stop", "has a string of \(text.utf8.count) bytes, not 1 to \(Self.stopStringLimits.bytes)")
        }
        return maxTokens < 1 ? ("max_tokens", "is \(maxTokens), below 1") : nil
    }
}

/// Why no token can be chosen.
public enum SamplingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The model computed no number, or infinity, for this token.
    case notFinite(token: Int32)
    /// Every token is ruled out.
    case nothingLeft
    /// A bias names a token outside the vocabulary.
    case unknownToken(Int32)

    public var description: String {
        switch self {
        case .notFinite(let token):
            "the logit of token \(token) is not a number or infinite: the model's numbers are broken"
        case .nothingLeft: "every token has the probability 0"
        case .unknownToken(let token): "logit_bias names token \(token), which is not in the vocabulary"
        }
    }
}
