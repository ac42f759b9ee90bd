import Units

/// One scrape of one replica: the counters, gauges and histogram buckets that vLLM exposes, with the time they were read.
///
/// Both worlds produce samples and `Observer` alone turns them into an observation. A value that the page did not hold
/// is `nil`, never 0. Counters count from the replica's start.
///
/// - Source: vLLM metric names, `vllm:num_requests_running`, `vllm:num_requests_waiting`, `vllm:kv_cache_usage_perc`,
///   `vllm:prompt_tokens_total`, `vllm:generation_tokens_total`, `vllm:request_success_total`,
///   `vllm:num_preemptions_total`, `vllm:time_to_first_token_seconds`, `vllm:inter_token_latency_seconds`,
///   `vllm:prefix_cache_queries_total`, `vllm:prefix_cache_hits_total`.
public struct ReplicaSample: Hashable, Sendable, Codable {
    public var pool: PoolID
    public var replica: ReplicaID
    /// When the page was read.
    public var time: Instant
    public var runningSequences: Double?
    public var waitingRequests: Double?
    /// Range: 0...1.
    public var kvUtilization: Double?
    public var promptTokens: Double?
    public var generationTokens: Double?
    public var completedRequests: Double?
    public var preemptions: Double?
    public var ttft: BucketCounts?
    public var itl: BucketCounts?
    /// Tokens of prompts that looked in the prefix cache, and those found there; `nil` without one.
    public var prefixCacheQueries: Double?
    public var prefixCacheHits: Double?

    public init(
        pool: PoolID, replica: ReplicaID, time: Instant, runningSequences: Double? = nil,
        waitingRequests: Double? = nil, kvUtilization: Double? = nil, promptTokens: Double? = nil,
        generationTokens: Double? = nil, completedRequests: Double? = nil, preemptions: Double? = nil,
        ttft: BucketCounts? = nil, itl: BucketCounts? = nil, prefixCacheQueries: Double? = nil,
        prefixCacheHits: Double? = nil
    ) {
        self.pool = pool
        self.replica = replica
        self.time = time
        self.runningSequences = runningSequences
        self.waitingRequests = waitingRequests
        self.kvUtilization = kvUtilization
        self.promptTokens = promptTokens
        self.generationTokens = generationTokens
        self.completedRequests = completedRequests
        self.preemptions = preemptions
        self.ttft = ttft
        self.itl = itl
        self.prefixCacheQueries = prefixCacheQueries
        self.prefixCacheHits = prefixCacheHits
    }
}

/// One scrape of the gateway: traffic counted where it arrives, so that overload does not hide demand.
public struct GatewaySample: Hashable, Sendable, Codable {
    public var pool: PoolID
    public var time: Instant
    /// Requests that arrived since the gateway started, rejected ones included.
    public var arrivedRequests: Double
    /// Prompt tokens of those requests.
    public var arrivedPromptTokens: Double
    /// Tokens streamed back since the gateway started.
    public var streamedTokens: Double
    public var rejectedRequests: Double
    /// Requests held because no replica was ready to take them.
    public var heldRequests: Double
    /// Tenants whose excess is left out of the counters and may still wait in queues; `nil` when there is none.
    public var excessTenants: Int?

    public init(
        pool: PoolID, time: Instant, arrivedRequests: Double, arrivedPromptTokens: Double, streamedTokens: Double,
        rejectedRequests: Double, heldRequests: Double, excessTenants: Int? = nil
    ) {
        self.pool = pool
        self.time = time
        self.arrivedRequests = arrivedRequests
        self.arrivedPromptTokens = arrivedPromptTokens
        self.streamedTokens = streamedTokens
        self.rejectedRequests = rejectedRequests
        self.heldRequests = heldRequests
        self.excessTenants = excessTenants
    }
}

/// A scrape that brought no sample: no answer, an error, a page that cannot be read.
public struct ScrapeFailure: Hashable, Sendable, Codable {
    public var pool: PoolID
    /// `nil` for the pool's gateway.
    public var replica: ReplicaID?
    public var time: Instant

    public init(pool: PoolID, replica: ReplicaID?, time: Instant) {
        self.pool = pool
        self.replica = replica
        self.time = time
    }
}

/// What the actuator knows of a pool without a scrape: phases, offerings and generations.
public struct PoolStatus: Hashable, Sendable, Codable {
    public var pool: PoolID
    public var time: Instant
    /// Replicas now serving, in order of their numbers: whose samples are expected.
    public var readyReplicas: [ReplicaID]
    public var starting: Int
    public var draining: Int
    /// The generation of the last decision applied, and the last one the pool has reached.
    public var appliedGeneration: Int
    public var reachedGeneration: Int
    /// The level last asked for.
    public var target: Int
    public var offerings: [OfferingObservation]

    public init(
        pool: PoolID, time: Instant, readyReplicas: [ReplicaID], starting: Int, draining: Int, appliedGeneration: Int,
        reachedGeneration: Int, target: Int, offerings: [OfferingObservation]
    ) {
        self.pool = pool
        self.time = time
        self.readyReplicas = readyReplicas
        self.starting = starting
        self.draining = draining
        self.appliedGeneration = appliedGeneration
        self.reachedGeneration = reachedGeneration
        self.target = target
        self.offerings = offerings
    }
}

/// A Prometheus histogram at one scrape: cumulative counts by upper bound.
public struct BucketCounts: Hashable, Sendable, Codable {
    /// Upper bounds in seconds, ascending; the last bucket, +Inf, has none.
    public var upperBounds: [Double]
    /// Observations at or below each bound, then all of them: one count more than there are bounds.
    public var cumulative: [Double]

    public init(upperBounds: [Double], cumulative: [Double]) {
        precondition(cumulative.count == upperBounds.count + 1, "one count per bound and one for +Inf")
        self.upperBounds = upperBounds
        self.cumulative = cumulative
    }

    /// vLLM's bounds for time to first token, in seconds.
    ///
    /// - Source: vLLM 0.32.0, `vllm:time_to_first_token_seconds`, as scraped from a running server.
    public static let ttftBounds: [Double] = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
        2560,
    ]
    /// vLLM's bounds for the gap between two tokens, in seconds.
    ///
    /// - Source: vLLM 0.32.0, `vllm:inter_token_latency_seconds`, as scraped from a running server.
    public static let itlBounds: [Double] = [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
    ]
}
