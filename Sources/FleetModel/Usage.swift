import Units

/// What one instance did during one charge period: the raw material of a bill line.
///
/// Produced by the simulated world and by live workers alike. Times are sums over the instance's replica slots, so
/// `busy + ready idle + starting + draining` is at most `slots × (end − start)`, and the rest is slots that held no replica.
public struct UsageRecord: Hashable, Sendable, Codable {
    /// A name for the instance that is unique in the run, such as `chat-i3`.
    public var instance: String
    public var pool: PoolID
    public var offering: Offering
    /// Replicas that fit on the instance. At least 1.
    public var slots: Int
    /// When the instance was launched; the minimum charge counts from here.
    public var launched: Instant
    /// The half-open charge period, within one billing hour.
    public var start: Instant
    public var end: Instant
    /// Whether the instance was given back at `end`.
    public var terminated: Bool
    /// Time in steps, summed over slots.
    public var busy: TimeSpan
    /// Time ready without a step to run, summed over slots.
    public var idle: TimeSpan
    public var starting: TimeSpan
    public var draining: TimeSpan
    /// Tokens served in the period, by tenant index.
    public var promptTokens: [Int64]
    public var outputTokens: [Int64]
    /// Requests that ended in the period, by tenant index.
    public var requests: [Int64]

    public init(
        instance: String, pool: PoolID, offering: Offering, slots: Int, launched: Instant, start: Instant, end: Instant,
        terminated: Bool, busy: TimeSpan, idle: TimeSpan, starting: TimeSpan, draining: TimeSpan,
        promptTokens: [Int64], outputTokens: [Int64], requests: [Int64]
    ) {
        self.instance = instance
        self.pool = pool
        self.offering = offering
        self.slots = slots
        self.launched = launched
        self.start = start
        self.end = end
        self.terminated = terminated
        self.busy = busy
        self.idle = idle
        self.starting = starting
        self.draining = draining
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.requests = requests
    }
}
