import Histogram
import Units

/// The distribution of many durations: mergeable, of fixed size, with a stated relative error.
///
/// Range: 0 to 1 day. A duration outside is recorded at the nearer end and counted in `outOfRange`; `count`, `mean`,
/// `minimum` and `maximum` stay exact. Quantiles and shares are read from cells no wider than 1/1024 of their values.
/// About 300 KB: keep one for a pool or a class of requests, not one for each request.
///
///     var ttft = LatencyHistogram()
///     ttft.record(.milliseconds(230))
///     ttft.quantile(0.99)
///
/// - Source: HdrHistogram (Gil Tene) with three significant digits, by hdrhistogram-swift.
public struct LatencyHistogram: Sendable {
    /// The most that a quantile may differ from the exact one, as a fraction of it: half a cell, 2⁻¹¹ (0.05 %).
    public static let relativeError = 1.0 / 2048
    /// The longest duration with a cell of its own: 1 day.
    public static let longest = TimeSpan.hours(24)

    @usableFromInline var cells = Histogram<Int64>(
        highestTrackableValue: UInt64(Self.longest.nanoseconds), numberOfSignificantValueDigits: .three)
    @usableFromInline var total: Int128 = 0
    @usableFromInline var least = Int64.max
    @usableFromInline var greatest = Int64.min
    @usableFromInline var outside: Int64 = 0

    public init() {}

    /// Records a duration, `count` times over.
    ///
    /// - Precondition: `count > 0`.
    @inlinable
    public mutating func record(_ value: TimeSpan, count: Int = 1) {
        precondition(count > 0, "a duration is recorded at least once")
        let nanoseconds = value.nanoseconds
        let times = Int64(count)
        total += Int128(nanoseconds) * Int128(times)
        if nanoseconds < least { least = nanoseconds }
        if nanoseconds > greatest { greatest = nanoseconds }
        var cell = nanoseconds
        if cell < 0 || cell > 86_400_000_000_000 {
            outside += times
            cell = max(0, min(cell, 86_400_000_000_000))
        }
        cells.record(UInt64(truncatingIfNeeded: cell), count: times)
    }

    /// Adds everything that `other` recorded, as if it had been recorded here.
    public mutating func merge(_ other: LatencyHistogram) {
        cells.add(other.cells)
        total += other.total
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
        outside += other.outside
    }
}
