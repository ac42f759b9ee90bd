import Units

/// Readings of a group of counters over a window, free of resets.
///
/// A counter that falls has started again from zero: the fall is taken out by adding what it had reached. All counters
/// of a group live in one process and reset together.
struct CounterHistory {
    private var entries: [(time: Instant, values: [Double])] = []
    /// What earlier lives of the counters had reached; empty while there was one life.
    private var offsets: [Double] = []
    /// The last reading as it came.
    private var raw: [Double] = []

    var latest: Instant? { entries.last?.time }

    /// Adds a reading and forgets what no window needs any more.
    ///
    /// - Returns: Whether a counter has fallen: whether its process has started again.
    /// - Precondition: `time` is later than any before, and the count of values never changes.
    @discardableResult
    mutating func add(_ values: [Double], at time: Instant, window: TimeSpan) -> Bool {
        let hasReset = !raw.isEmpty && zip(values, raw).contains { $0 < $1 }
        if hasReset {
            if offsets.isEmpty { offsets = [Double](repeating: 0, count: values.count) }
            for index in raw.indices { offsets[index] += raw[index] }
        }
        raw = values
        entries.append((time, offsets.isEmpty ? values : zip(values, offsets).map { $0 + $1 }))
        let cutoff = time - window
        // The newest reading at or before the cutoff is where the window starts: keep it and all that follow.
        var keep = 0
        while keep + 1 < entries.count, entries[keep + 1].time <= cutoff { keep += 1 }
        if keep > 0 { entries.removeFirst(keep) }
        return hasReset
    }

    /// The newest reading and the one at the start of the window before it.
    ///
    /// Where the history is shorter than the window, its first reading, so the increase is of a shorter span: a replica
    /// that has just started is seen at once. `nil` without two readings.
    var ends: (base: (time: Instant, values: [Double]), latest: (time: Instant, values: [Double]))? {
        guard entries.count >= 2, let first = entries.first, let last = entries.last else { return nil }
        return (first, last)
    }
}
