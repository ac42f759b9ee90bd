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

        fileprivate init(_ counts: LengthCounts) {
            total = counts.total
            mean = Double(counts.total) / Double(counts.count)
            p50 = counts.quantile(percent: 50)
            p99 = counts.quantile(percent: 99)
            largest = counts.largest
        }
    }

    /// Reads a trace through. Memory does not grow with it, but for requests of more than a million tokens.
    ///
    /// - Precondition: the trace is not empty.
    /// - Throws: What reading it throws.
    public init(_ source: any TraceSource) throws(TraceFailure) {
        var (prompts, outputs) = (LengthCounts(), LengthCounts())
        var arrivals = ArrivalCounts()
        var reader = try source.open()
        var records: [TraceRecord] = []
        while true {
            try reader.next(into: &records)
            if records.isEmpty { break }
            for record in records {
                prompts.add(record.promptTokens)
                outputs.add(record.outputTokens)
                arrivals.add(record.offset.nanoseconds)
            }
        }
        precondition(prompts.count > 0, "a summary of no records")
        promptTokens = TokenSummary(prompts)
        outputTokens = TokenSummary(outputs)
        requests = arrivals.count
        span = TimeSpan(nanoseconds: arrivals.last - arrivals.first)
        guard span > .zero else { return }
        meanRate = Double(requests) / span.seconds
        peakToMean = arrivals.peakToMean
        interarrivalCV = arrivals.interarrivalCV
    }
}

/// How often each length occurs.
private struct LengthCounts {
    private static let limit = 1 << 20

    private(set) var count = 0
    private(set) var total: Int64 = 0
    private(set) var largest = 0
    /// By length, below the limit; those beyond, each.
    private var counts: [Int] = []
    private var beyond: [Int32] = []

    mutating func add(_ length: Int32) {
        count += 1
        total += Int64(length)
        largest = max(largest, Int(length))
        if length < Self.limit {
            while counts.count <= length { counts += Array(repeating: 0, count: max(1024, counts.count)) }
            counts[Int(length)] += 1
        } else {
            beyond.append(length)
        }
    }

    /// The smallest length that at least this share of the requests does not exceed.
    func quantile(percent: Int) -> Int {
        var rank = max(1, (count * percent + 99) / 100)
        for (length, number) in counts.enumerated() {
            if number >= rank { return length }
            rank -= number
        }
        return Int(beyond.sorted()[rank - 1])
    }
}

/// What arrivals in order of time are counted into. Times in nanoseconds.
private struct ArrivalCounts {
    private static let minute: Int64 = 60_000_000_000

    private(set) var count = 0
    private(set) var first: Int64 = 0
    private(set) var last: Int64 = 0
    /// Exact: the gaps sum to less than 2⁶³, so that their squares sum to less than 2¹²⁶.
    private var squaredGaps: Int128 = 0
    /// Arrivals are in order, so one minute is open at a time: a span of a century costs no memory.
    private var (minuteNumber, inMinute): (Int64, Int) = (0, 0)
    private var (busiest, inClosed) = (0, 0)

    mutating func add(_ time: Int64) {
        if count == 0 {
            (first, last) = (time, time)
        }
        let number = (time - first) / Self.minute
        if number != minuteNumber {
            busiest = max(busiest, inMinute)
            inClosed += inMinute
            (minuteNumber, inMinute) = (number, 0)
        }
        inMinute += 1
        let gap = Int128(time - last)
        squaredGaps += gap * gap
        last = time
        count += 1
    }

    /// The last minute is cut by the end of the trace and left out.
    var peakToMean: Double? {
        minuteNumber > 0 ? Double(busiest) * Double(minuteNumber) / Double(inClosed) : nil
    }

    var interarrivalCV: Double? {
        guard count > 1, last > first else { return nil }
        let (gaps, span) = (Int128(count - 1), Int128(last - first))
        let mean = Double(last - first) / Double(count - 1)
        // The sum of squared deviations is that of the squares less span² / gaps.
        let deviations = Double(squaredGaps) - Double(span * span) / Double(gaps)
        return (max(0, deviations) / Double(gaps)).squareRoot() / mean
    }
}
