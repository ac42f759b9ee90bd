#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How long something took: by the wall, and on this thread's processor.
struct CoreTiming {
    /// Seconds by the monotonic clock.
    var wall: Double
    /// Seconds that the thread had a processor.
    var processor: Double

    /// The share of the wall time in which the thread ran. Range: 0 to about 1.
    var share: Double { wall > 0 ? processor / wall : 1 }

    /// Times `body`.
    static func measure(_ body: () throws -> Void) rethrows -> CoreTiming {
        let wall = seconds(CLOCK_MONOTONIC)
        let processor = seconds(CLOCK_THREAD_CPUTIME_ID)
        try body()
        return CoreTiming(
            wall: seconds(CLOCK_MONOTONIC) - wall, processor: seconds(CLOCK_THREAD_CPUTIME_ID) - processor)
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
