import Units

/// A pause before a replica is started again, which doubles while starts fail: 1 s up to 1 minute. Those that fail while it
/// lasts failed together, and count as one.
struct RestartBackoff: Hashable, Sendable {
    private var failures = 0
    private var until: Instant?

    mutating func fail(at now: Instant) {
        guard isOver(at: now) else { return }
        until = now + .seconds(min(60, 1 << min(failures, 6)))
        failures += 1
    }

    /// A replica became ready.
    mutating func succeed() { failures = 0 }

    func isOver(at now: Instant) -> Bool { until.map { now >= $0 } ?? true }
}
