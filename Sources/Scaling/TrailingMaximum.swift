import Units

/// The largest value of the last `window`: what a stabilisation window remembers.
///
/// Keeps only values that can still become the maximum, so its memory is that of the window's descents and not of
/// its ticks. A value exactly `window` old has left, as in the Kubernetes autoscaler.
public struct TrailingMaximum: Hashable, Sendable, Codable {
    private struct Entry: Hashable, Sendable, Codable {
        var time: Instant
        var value: Int
    }
    /// Later values are smaller.
    private var entries: [Entry] = []

    public init() {}

    /// Adds `value` at `now`, forgets what has left the window, and gives the maximum of the rest.
    ///
    /// - Precondition: `now` is not before an earlier one.
    public mutating func add(_ value: Int, at now: Instant, window: TimeSpan) -> Int {
        let cutoff = now - window
        entries.removeAll { $0.time <= cutoff }
        while let last = entries.last, last.value <= value { entries.removeLast() }
        entries.append(Entry(time: now, value: value))
        return entries[0].value
    }
}
