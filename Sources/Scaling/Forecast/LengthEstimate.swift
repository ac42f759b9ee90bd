import FleetModel

/// Mean prompt and output tokens of recent requests, from counts of requests and tokens.
///
/// Sums with exponential forgetting: the means of about the last `memory` windows. What was assumed at the start counts
/// as a few requests and fades.
public struct LengthEstimate: Hashable, Sendable, Codable {
    private var promptRequests: Double
    private var promptTokens: Double
    private var outputRequests: Double
    private var outputTokens: Double

    /// Windows that a mean remembers.
    public static let memory = 20.0
    /// Requests that the assumption is worth.
    public static let assumedRequests = 5.0

    public init(assumedPromptTokens: Double, assumedOutputTokens: Double) {
        promptRequests = Self.assumedRequests
        outputRequests = Self.assumedRequests
        promptTokens = assumedPromptTokens * Self.assumedRequests
        outputTokens = assumedOutputTokens * Self.assumedRequests
    }

    /// At least 1.
    public var meanPrompt: Double { max(1, promptTokens / promptRequests) }
    /// At least 1.
    public var meanOutput: Double { max(1, outputTokens / outputRequests) }

    /// Takes in one window.
    ///
    /// - Parameter isCongested: Whether requests are piling up. Then tokens streamed back lag behind requests arriving,
    ///   and the mean output would seem to shrink just when it matters: it may only grow then. (It must be able to: where
    ///   the assumption was too short, a fleet sized by it is congested from the start.)
    public mutating func observe(_ traffic: OfferedTraffic, isCongested: Bool) {
        guard traffic.requests > 0 else { return }
        let kept = 1 - 1 / Self.memory
        promptRequests = promptRequests * kept + traffic.requests
        promptTokens = promptTokens * kept + traffic.promptTokens
        guard traffic.outputTokens > 0 else { return }
        guard !isCongested || traffic.outputTokens / traffic.requests > meanOutput else { return }
        outputRequests = outputRequests * kept + traffic.requests
        outputTokens = outputTokens * kept + traffic.outputTokens
    }
}
