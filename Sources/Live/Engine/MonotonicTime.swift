import CLinux
import Glibc
import Units

/// The clock that intervals and deadlines of the live plane are measured on: it never jumps.
///
/// Its instants count from the machine's start, not from 1970; only differences between them mean something.
enum MonotonicTime {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Blocks the thread until `deadline`. A deadline in the past returns at once.
    ///
    /// Absolute: a signal or a late start makes no deadline later.
    static func sleep(until deadline: Instant) {
        var time = timespec(
            tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }

    /// Lets the calling thread's timers expire when they are due. Linux lets them be 50 µs late otherwise, to wake fewer
    /// times.
    static func tightenTimers() { clinux_set_timer_slack(1) }
}

/// The calendar's clock, for what people and other systems read.
enum WallTime {
    /// Whole seconds since 1970.
    static var seconds: Int { time(nil) }

    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func instant(seconds: Int) -> Instant { Instant.epoch + .seconds(Int64(seconds)) }
}
