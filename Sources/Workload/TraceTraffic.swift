import FleetModel
import Randomness
import Units

/// One line of a trace.
public struct TraceRecord: Hashable, Sendable, Codable {
    /// Time since the trace's first line. Not negative; records are in order of it.
    public var offset: TimeSpan
    /// At least 1.
    public var promptTokens: Int32
    /// At least 1.
    public var outputTokens: Int32

    public init(offset: TimeSpan, promptTokens: Int32, outputTokens: Int32) {
        self.offset = offset
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
    }
}

/// Recorded traffic, replayed as it is from the start of the run and cut at its end.
public struct TraceTraffic: Hashable, Sendable, Codable {
    /// A name that is unique in the scenario: it names the random stream that chooses tenants.
    public var name: String
    /// Where its requests are served.
    public var pool: PoolID
    /// Who sends them. At least one, each with a positive share.
    public var tenants: [TenantShare]
    /// Index into the scenario's SLO classes.
    public var sloClass: Int
    /// In order of their offsets.
    public var records: [TraceRecord]
    /// What the rate is multiplied by: at 2 the trace plays in half its time. Positive.
    public var speed: Double

    public init(
        name: String, pool: PoolID, tenants: [TenantShare], sloClass: Int = 0, records: [TraceRecord], speed: Double = 1
    ) {
        self.name = name
        self.pool = pool
        self.tenants = tenants
        self.sloClass = sloClass
        self.records = records
        self.speed = speed
    }

    /// What makes the trace unusable, in words that follow its name; `nil` when nothing does.
    public var problem: String? {
        if let problem = TenantShare.problem(of: tenants) { return problem }
        if !(speed >= 1e-6 && speed <= 1e6) { return "a speed of \(speed)" }
        if let first = records.first, first.offset < .zero { return "a record before the start" }
        if zip(records, records.dropFirst()).contains(where: { $0.offset > $1.offset }) {
            return "records out of order"
        }
        if records.contains(where: { $0.promptTokens < 1 || $0.outputTokens < 1 }) { return "a record without tokens" }
        return nil
    }
}

// MARK: - Replications

extension TraceTraffic {
    /// Another trace that this one's source might have produced: blocks of its time, drawn with replacement and laid
    /// end to end over the same span.
    ///
    /// A block starts at a uniform moment and runs on into the beginning where the trace ends, so every record is as
    /// likely to be drawn as any other and the expected rate is the trace's. What happens within a block stays
    /// together: bursts shorter than `blocks` survive, a trend longer than it does not. So an interval over resampled
    /// traces speaks of other hours like this one, not of other days.
    ///
    /// - Parameters:
    ///   - blocks: Length of a block in the trace's own time. Positive; longer than the span leaves one rotated block.
    ///   - generator: Where the blocks start.
    /// - Source: Politis and Romano, "A circular block-resampling procedure for stationary data" (1992).
    public func resampled(blocks: TimeSpan, generator: RandomGenerator) -> TraceTraffic {
        precondition(blocks > .zero, "blocks of \(blocks)")
        guard records.count > 1, let last = records.last?.offset.nanoseconds else { return self }
        // The last gap is unseen: take the mean one, so that the end does not meet the beginning in one moment.
        let span = last + max(1, last / Int64(records.count - 1))
        var result = self
        result.records.removeAll(keepingCapacity: true)
        var laid: Int64 = 0
        while laid < span {
            let length = min(blocks.nanoseconds, span - laid)
            append(from: Int64(generator.uniform(below: Int(span))), length: length, at: laid, of: span, to: &result)
            laid += length
        }
        return result
    }

    private func append(
        from start: Int64, length: Int64, at position: Int64, of span: Int64, to result: inout TraceTraffic
    ) {
        var index = firstRecord(notBefore: start)
        var lap: Int64 = 0
        while true {
            if index == records.count { (index, lap) = (0, lap + span) }
            let since = records[index].offset.nanoseconds + lap - start
            guard since < length else { return }
            var record = records[index]
            record.offset = TimeSpan(nanoseconds: position + since)
            result.records.append(record)
            index += 1
        }
    }

    private func firstRecord(notBefore nanoseconds: Int64) -> Int {
        var (first, end) = (0, records.count)
        while first < end {
            let middle = (first + end) / 2
            if records[middle].offset.nanoseconds < nanoseconds { first = middle + 1 } else { end = middle }
        }
        return first
    }
}
