import Serving
import Units

/// Requests that went through a real engine, with the limits it ran under and the times that it recorded.
///
/// - Source: the layout that LLMServingSim's bench writes (casys-kaist/LLMServingSim, bench/core, MIT): `meta.json` with
///   vLLM's arguments and resolved configuration, `requests.jsonl` with vLLM's own time stamps, and the workload.
public struct MeasuredRun: Sendable {
    /// What the engine was started with.
    public struct Engine: Hashable, Sendable {
        public var model: String
        public var vllmVersion: String
        /// `nil` where the run does not say.
        public var device: String?
        public var maxSequences: Int
        public var maxBatchedTokens: Int
        /// `nil` for the model's own.
        public var maxContext: Int?
        public var blockSize: Int
        /// KV blocks of one engine; `nil` where the run does not say.
        public var kvBlocks: Int?
        public var prefixCaching: Bool
        /// Whether a step is planned while the one before runs.
        public var asyncScheduling: Bool
        public var tensorParallel: Int
        /// Engines that share the requests, each with limits and blocks of its own.
        public var dataParallel: Int
        public var expertParallel: Bool

        public init(
            model: String, vllmVersion: String, device: String?, maxSequences: Int, maxBatchedTokens: Int,
            maxContext: Int?, blockSize: Int, kvBlocks: Int?, prefixCaching: Bool, asyncScheduling: Bool,
            tensorParallel: Int, dataParallel: Int, expertParallel: Bool
        ) {
            self.model = model
            self.vllmVersion = vllmVersion
            self.device = device
            self.maxSequences = maxSequences
            self.maxBatchedTokens = maxBatchedTokens
            self.maxContext = maxContext
            self.blockSize = blockSize
            self.kvBlocks = kvBlocks
            self.prefixCaching = prefixCaching
            self.asyncScheduling = asyncScheduling
            self.tensorParallel = tensorParallel
            self.dataParallel = dataParallel
            self.expertParallel = expertParallel
        }
    }

    /// One request, in order of arrival.
    public struct Request: Hashable, Sendable {
        public var promptTokens: Int
        public var outputTokens: Int
        /// When the client sent it, since the workload's start.
        public var arrival: Instant
        /// When the engine took it up: between two steps, after it had arrived.
        public var queued: Instant
        public var firstToken: Instant
        public var lastToken: Instant
        /// Of the prompt's whole blocks; empty where the workload holds no tokens.
        public var blockNames: [BlockName]
        /// When each token came; empty where only the first and the last were timed.
        public var tokenTimes: [Instant]

        public init(
            promptTokens: Int, outputTokens: Int, arrival: Instant, queued: Instant, firstToken: Instant,
            lastToken: Instant, blockNames: [BlockName], tokenTimes: [Instant] = []
        ) {
            self.promptTokens = promptTokens
            self.outputTokens = outputTokens
            self.arrival = arrival
            self.queued = queued
            self.firstToken = firstToken
            self.lastToken = lastToken
            self.blockNames = blockNames
            self.tokenTimes = tokenTimes
        }
    }

    /// Whose times a run holds.
    public enum Clock: Hashable, Sendable {
        /// The engine's own: a request counts from when the engine took it up, between two steps.
        case engine
        /// Its client's: a request counts from when it was sent.
        case client
    }

    /// The folder, or the server, as the user named it.
    public var folder: String
    public var engine: Engine
    public var requests: [Request]
    /// What the files do not say and was taken from vLLM's defaults, one sentence each.
    public var assumptions: [String]
    public var clock: Clock

    public init(
        folder: String, engine: Engine, requests: [Request], assumptions: [String], clock: Clock = .engine
    ) {
        self.clock = clock
        self.folder = folder
        self.engine = engine
        self.requests = requests
        self.assumptions = assumptions
    }

    /// Whether the gaps between tokens were timed, and not only their sum.
    public var knowsGaps: Bool { requests.contains { $0.tokenTimes.count > 1 } }

    /// Whether tokens are known, so that a prefix cache finds what it found.
    public var knowsTokens: Bool { requests.contains { !$0.blockNames.isEmpty } }
}

extension BlockName {
    /// Names of the whole blocks of `tokens`, each made of its tokens and the name before it.
    static func chain(of tokens: [Int32], blockSize: Int) -> [BlockName] {
        var names: [BlockName] = []
        names.reserveCapacity(tokens.count / blockSize)
        var (high, low) = (UInt64(0x243F_6A88_85A3_08D3), UInt64(0x1319_8A2E_0370_7344))
        for (index, token) in tokens.enumerated() {
            high = (high ^ UInt64(bitPattern: Int64(token))) &* 0x9E37_79B9_7F4A_7C15
            high ^= high >> 29
            low = (low &+ UInt64(bitPattern: Int64(token)) &+ 1) &* 0xD134_2543_DE82_EF95
            low ^= low >> 32
            if (index + 1) % blockSize == 0 { names.append(BlockName(high: high, low: low)) }
        }
        return names
    }
}
