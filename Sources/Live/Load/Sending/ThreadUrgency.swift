#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How urgently the system runs the sending thread.
public enum ThreadUrgency: String, Hashable, Sendable, Codable {
    /// Before every ordinary thread (SCHED_RR at its lowest priority).
    case realTime = "real-time"
    case ordinary

    /// Makes the calling thread run as soon as it has something to do, where the system lets this process.
    static func raise() -> ThreadUrgency {
        var parameters = sched_param()
        parameters.sched_priority = sched_get_priority_min(SCHED_RR)
        return pthread_setschedparam(pthread_self(), SCHED_RR, &parameters) == 0 ? .realTime : .ordinary
    }
}
