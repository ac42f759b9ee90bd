import Units
import Workload

/// What a trace holds, in the figures that traces are compared by.
public struct TraceSummary: Hashable, Sendable, Codable {
    public var requests: Int
    /// First to last arrival.
    public var span: TimeSpan
    /// Requests per second of the span; `nil` when it is zero.
    public var meanRate: Double?
    /// Requests of the busiest minute over those of the mean minute, in whole minutes counted from the first arrival;
    /// `nil` when there is none.
    public var peakToMean: Double?
    /// Standard deviation over mean of the times between arrivals; 1 for a Poisson process.
    public var interarrivalCV: Double?
    public var promptTokens: TokenSummary
    public var outputTokens: TokenSummary

    /// Tokens per request, and their sum.
    public struct TokenSummary: Hashable, Sendable, Codable {
        public var total: Int64
        public var mean: Double
        /// The smallest value that at least this share of the requests does not exceed.
        public var p50: Int
        public var p99: Int
        public var largest: Int

        init(_ values: [Int32]) {
            let sorted = values.sorted()
            func quantile(_ percent: Int) -> Int { Int(sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]) }
            total = values.reduce(0) { $0 + Int64($1) }
            mean = Double(total) / Double(values.count)
            p50 = quantile(50)
            p99 = quantile(99)
            largest = Int(sorted.last!)
        }
    }

    /// - Precondition: `records` is not empty and in order of time.
    public init(_ records: [TraceRecord]) {
        precondition(!records.isEmpty, "a summary of no records")
        let first = records.first!.offset
        let span = records.last!.offset - first
        requests = records.count
        self.span = span
        promptTokens = TokenSummary(records.map(\.promptTokens))
        outputTokens = TokenSummary(records.map(\.outputTokens))
        guard span > .zero else { return }

        meanRate = Double(records.count) / span.seconds
        let minute: Int64 = 60_000_000_000
        // Records are in order, so one minute is open at a time: a span of a century costs no memory. The last minute
        // is cut by the end of the trace and left out.
        let minutes = span.nanoseconds / minute
        var (open, inOpen, busiest, inWhole) = (Int64(0), 0, 0, 0)
        var squares = 0.0
        let mean = span.seconds / Double(records.count - 1)
        var previous = first
        for (index, record) in records.enumerated() {
            let at = (record.offset - first).nanoseconds / minute
            if at != open { (open, inOpen) = (at, 0) }
            if at < minutes {
                inOpen += 1
                inWhole += 1
                busiest = max(busiest, inOpen)
            }
            if index > 0 {
                let deviation = (record.offset - previous).seconds - mean
                squares += deviation * deviation
            }
            previous = record.offset
        }
        if minutes > 0 { peakToMean = Double(busiest) * Double(minutes) / Double(inWhole) }
        interarrivalCV = (squares / Double(records.count - 1)).squareRoot() / mean
    }
}
