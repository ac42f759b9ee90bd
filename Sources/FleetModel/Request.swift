import Units

/// One request as traffic brings it: what the client sends, and what the engine will turn out to answer.
///
/// `outputTokens` is the world's secret: the batcher, the router and a policy never see it.
public struct Arrival: Hashable, Sendable {
    /// When the client sends it. A source yields arrivals in order.
    public var time: Instant
    /// Tokens of the prompt. At least 1.
    public var promptTokens: Int32
    /// Tokens the engine will generate, the first one included. At least 1.
    public var outputTokens: Int32
    /// Index into the scenario's tenants.
    public var tenant: Int32
    /// Index into the scenario's SLO classes.
    public var sloClass: Int32
    /// What other requests may have of the same tokens; `none` where none has.
    public var content: PromptContent

    public init(
        time: Instant, promptTokens: Int32, outputTokens: Int32, tenant: Int32, sloClass: Int32,
        content: PromptContent = .none
    ) {
        self.time = time
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.tenant = tenant
        self.sloClass = sloClass
        self.content = content
    }
}

/// How a request ended. Each request has exactly one outcome.
public enum RequestOutcome: UInt8, Hashable, Sendable, CaseIterable {
    /// The last token left the engine.
    case completed
    /// Refused at arrival: every queue it could join was full.
    case rejectedQueueFull
    /// Refused at arrival: the prompt does not fit the engine's longest context.
    case rejectedTooLong
    /// The client gave up: its class's timeout passed before the last token.
    case failedTimeout
    /// The replica went away under it: its drain deadline passed.
    case failedReplicaLost
    /// Still in the system when the run ended. Counted apart, so that nothing is lost.
    case unfinished

    public var isRejected: Bool { self == .rejectedQueueFull || self == .rejectedTooLong }
    public var isFailed: Bool { self == .failedTimeout || self == .failedReplicaLost }
}

/// Who a request is charged to.
public struct Tenant: Hashable, Sendable, Codable {
    public var name: String
    public init(name: String) { self.name = name }
}

/// What a group of requests is promised, and how long its clients wait.
public struct SLOClass: Hashable, Sendable, Codable {
    public var name: String
    /// Longest allowed time from arrival to first token; `nil` promises nothing.
    public var ttft: TimeSpan?
    /// Longest allowed mean time per output token after the first, (last − first) / (tokens − 1).
    public var tpot: TimeSpan?
    /// Longest allowed time from arrival to last token.
    public var e2e: TimeSpan?
    /// The share of requests that must meet every target. Range: 0...1.
    public var attainment: Double
    /// After this long without the last token the client gives up; `nil` waits for ever.
    public var timeout: TimeSpan?
    /// Order of service: a smaller number is served first.
    public var priority: Int

    public init(
        name: String, ttft: TimeSpan? = nil, tpot: TimeSpan? = nil, e2e: TimeSpan? = nil, attainment: Double = 0.99,
        timeout: TimeSpan? = nil, priority: Int = 0
    ) {
        self.name = name
        self.ttft = ttft
        self.tpot = tpot
        self.e2e = e2e
        self.attainment = attainment
        self.timeout = timeout
        self.priority = priority
    }
}
