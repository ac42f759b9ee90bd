import Histogram
import Units

extension LatencyHistogram {
    /// The longest duration that is counted in the same cell as `value`: recording either is the same but for the mean.
    ///
    /// Durations of a day and more share the last cell, which never ends.
    @inlinable
    public func cellEnd(of value: TimeSpan) -> TimeSpan {
        guard value < Self.longest else { return TimeSpan(nanoseconds: .max) }
        return TimeSpan(nanoseconds: Int64(cells.highestEquivalentForValue(UInt64(max(0, value.nanoseconds)))))
    }
}
