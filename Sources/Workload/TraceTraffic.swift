import FleetModel
import Randomness
import Units

/// Recorded traffic, replayed as it is from the start of the run and cut at its end.
public struct TraceTraffic: Sendable {
    /// A name that is unique in the scenario: it names the random stream that chooses tenants.
    public var name: String
    /// Where its requests are served.
    public var pool: PoolID
    /// Who sends them. At least one, each with a positive share.
    public var tenants: [TenantShare]
    /// Index into the scenario's SLO classes.
    public var sloClass: Int
    /// What it plays.
    public var source: any TraceSource
    /// What the rate is multiplied by: at 2 the trace plays in half its time. Positive.
    public var speed: Double

    public init(
        name: String, pool: PoolID, tenants: [TenantShare], sloClass: Int = 0, source: any TraceSource,
        speed: Double = 1
    ) {
        self.name = name
        self.pool = pool
        self.tenants = tenants
        self.sloClass = sloClass
        self.source = source
        self.speed = speed
    }

    /// A trace in memory.
    ///
    /// - Parameter records: In order of their offsets.
    public init(
        name: String, pool: PoolID, tenants: [TenantShare], sloClass: Int = 0, records: [TraceRecord], speed: Double = 1
    ) {
        self.init(
            name: name, pool: pool, tenants: tenants, sloClass: sloClass, source: TraceRecords(records), speed: speed)
    }

    /// What makes the trace unusable, in words that follow its name; `nil` when nothing does.
    public var problem: String? {
        if let problem = TenantShare.problem(of: tenants) { return problem }
        if !(speed >= 1e-6 && speed <= 1e6) { return "a speed of \(speed)" }
        return source.problem
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
        guard source.count > 1 else { return self }
        var result = self
        result.source = ResampledTrace(source, block: blocks, generator: generator)
        return result
    }
}
