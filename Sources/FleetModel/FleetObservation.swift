import Units

/// All that a policy may know at a tick. Made by `Observer` from samples, in both worlds; missing is `nil`, never 0.
public struct FleetObservation: Hashable, Sendable, Codable {
    public var time: Instant
    /// In the scenario's order.
    public var pools: [PoolObservation]
    /// Money left of the budget, where there is one.
    public var budgetLeft: USD?

    public init(time: Instant, pools: [PoolObservation], budgetLeft: USD? = nil) {
        self.time = time
        self.pools = pools
        self.budgetLeft = budgetLeft
    }
}

/// One pool as the metrics show it.
public struct PoolObservation: Hashable, Sendable, Codable {
    public var pool: PoolID
    /// Replicas serving, on their way, and finishing.
    public var ready: Int
    public var starting: Int
    public var draining: Int
    /// The level last asked for: what `ready + starting` is moving to.
    public var target: Int
    /// The bounds the scenario sets on the level.
    public var bounds: ReplicaBounds
    public var appliedGeneration: Int
    public var reachedGeneration: Int
    /// Traffic counted where it arrives; `nil` until two gateway scrapes span a window.
    public var offered: OfferedTraffic?
    /// Requests waiting in engines and at the gateway, summed; `nil` when no fresh sample says.
    public var queueDepth: Double?
    /// Sequences in running batches, summed over fresh samples.
    public var runningSequences: Double?
    /// Mean over fresh samples. Range: 0...1.
    public var kvUtilization: Double?
    /// Over the observation window, from histogram buckets.
    public var ttft: LatencyQuantiles?
    public var itl: LatencyQuantiles?
    /// Age of the oldest sample used; `nil` when there is none.
    public var sampleAge: TimeSpan?
    /// Ready replicas without a fresh sample. While it is not 0 the sums above are of the others only.
    public var missingReplicas: Int
    /// Ready replicas and gateways whose last scrape failed or could not be believed, whose counters started again within the
    /// window, or that stand still. What is known of them is in the sums above, up to the staleness.
    public var doubtful: Int
    /// Tenants whose excess is left out of `offered` and may still be in the queue; `nil` when there is none.
    public var excessTenants: Int?
    /// What could be bought, cheapest first.
    public var offerings: [OfferingObservation]

    public init(
        pool: PoolID, ready: Int, starting: Int, draining: Int, target: Int, bounds: ReplicaBounds,
        appliedGeneration: Int = 0, reachedGeneration: Int = 0, offered: OfferedTraffic? = nil,
        queueDepth: Double? = nil, runningSequences: Double? = nil, kvUtilization: Double? = nil,
        ttft: LatencyQuantiles? = nil, itl: LatencyQuantiles? = nil, sampleAge: TimeSpan? = nil,
        missingReplicas: Int = 0, doubtful: Int = 0, excessTenants: Int? = nil,
        offerings: [OfferingObservation] = []
    ) {
        self.pool = pool
        self.ready = ready
        self.starting = starting
        self.draining = draining
        self.target = target
        self.bounds = bounds
        self.appliedGeneration = appliedGeneration
        self.reachedGeneration = reachedGeneration
        self.offered = offered
        self.queueDepth = queueDepth
        self.runningSequences = runningSequences
        self.kvUtilization = kvUtilization
        self.ttft = ttft
        self.itl = itl
        self.sampleAge = sampleAge
        self.missingReplicas = missingReplicas
        self.doubtful = doubtful
        self.excessTenants = excessTenants
        self.offerings = offerings
    }
}

/// The least and the most replicas a pool may be asked to have.
public struct ReplicaBounds: Hashable, Sendable, Codable {
    public var minimum: Int
    public var maximum: Int

    /// - Precondition: `0 <= minimum <= maximum`.
    public init(minimum: Int, maximum: Int) {
        precondition(0 <= minimum && minimum <= maximum, "bounds \(minimum)...\(maximum)")
        self.minimum = minimum
        self.maximum = maximum
    }

    public func clamp(_ replicas: Int) -> Int { min(max(replicas, minimum), maximum) }
}

/// Traffic over a window, counted where requests arrive.
public struct OfferedTraffic: Hashable, Sendable, Codable {
    public var window: TimeSpan
    public var requests: Double
    public var promptTokens: Double
    /// Tokens streamed back in the window: what was generated, not what was asked for.
    public var outputTokens: Double

    public init(window: TimeSpan, requests: Double, promptTokens: Double, outputTokens: Double) {
        self.window = window
        self.requests = requests
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
    }
}

/// Quantiles in seconds, interpolated inside histogram buckets as Prometheus does.
public struct LatencyQuantiles: Hashable, Sendable, Codable {
    public var p50: Double
    public var p90: Double
    public var p99: Double
    public var count: Double

    public init(p50: Double, p90: Double, p99: Double, count: Double) {
        self.p50 = p50
        self.p90 = p90
        self.p99 = p99
        self.count = count
    }
}

/// Something that could be bought, as known now.
public struct OfferingObservation: Hashable, Sendable, Codable {
    public var offering: Offering
    /// `nil` when no price book knows it.
    public var price: USDPerHour?
    /// Replicas that fit on one instance.
    public var replicasPerInstance: Int
    public var available: Bool
    /// Request for capacity to `ready`.
    public var expectedColdStart: TimeSpan

    public init(
        offering: Offering, price: USDPerHour?, replicasPerInstance: Int, available: Bool, expectedColdStart: TimeSpan
    ) {
        self.offering = offering
        self.price = price
        self.replicasPerInstance = replicasPerInstance
        self.available = available
        self.expectedColdStart = expectedColdStart
    }
}
