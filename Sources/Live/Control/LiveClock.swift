import Glibc
import Units

/// The live plane's clock: calendar time that never jumps.
///
/// It reads the calendar once and counts from there on the monotonic clock, so that spans between its instants are true
/// whatever is done to the machine's calendar.
public struct LiveClock: Sendable {
    /// What is added to an instant of the monotonic clock.
    private let offset: TimeSpan

    public init() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let wall = Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
        offset = wall - MonotonicTime.now
    }

    public var now: Instant { MonotonicTime.now + offset }

    /// The same moment on the monotonic clock.
    func monotonic(_ instant: Instant) -> Instant { instant - offset }

    /// Waits until `instant`; returns at once when it has passed, and when the task is cancelled.
    func sleep(until instant: Instant) async {
        let span = instant - now
        guard span > .zero else { return }
        try? await Task.sleep(for: .nanoseconds(span.nanoseconds), tolerance: .zero)
    }
}
