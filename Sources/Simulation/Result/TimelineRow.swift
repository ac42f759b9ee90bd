import FleetModel
import Units

/// One pool over one interval of the timeline: sums over the interval, levels at its end.
///
/// A simulation knows all of it. A live period does not, and what nobody measured is `nil`.
public struct TimelineRow: Hashable, Sendable, Codable {
    /// Start of the interval.
    public var time: Instant
    public var span: TimeSpan
    public var pool: PoolID
    public var arrived: Int64 = 0
    public var completed: Int64 = 0
    public var rejected: Int64? = 0
    public var failed: Int64 = 0
    /// Prompt tokens that arrived.
    public var promptTokensOffered: Int64 = 0
    /// Output tokens that arrivals will ask for: known to the simulator alone.
    public var outputTokensOffered: Int64? = 0
    /// Produced in the interval; of a live period, of requests that ended in it.
    public var outputTokens: Int64 = 0
    /// Requests that ended in the interval and met every target of their class, of those that ended.
    public var met: Int64 = 0
    public var ended: Int64 = 0
    /// Sum and largest TTFT of requests whose first token fell in the interval.
    public var ttftSum: TimeSpan = .zero
    public var ttftMax: TimeSpan = .zero
    public var firstTokens: Int64 = 0
    public var ready: Int = 0
    public var starting: Int = 0
    public var draining: Int = 0
    public var target: Int = 0
    public var queueDepth: Int? = 0
    public var running: Int? = 0
    /// Time in steps over ready replica time in the interval. Range: 0...1.
    public var utilization: Double? = 0
    /// Used over all KV blocks of ready replicas at the interval's end. Range: 0...1.
    public var kvUtilization: Double? = 0
    /// Price of the instances held at the interval's end.
    public var costRate: USDPerHour = USDPerHour(nanodollars: 0)

    public init(time: Instant, span: TimeSpan, pool: PoolID) {
        self.time = time
        self.span = span
        self.pool = pool
    }
}
