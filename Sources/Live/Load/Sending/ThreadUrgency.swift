#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How urgently the system runs the sending thread.
public enum ThreadUrgency: String, Hashable, Sendable, Codable {
    /// Before every ordinary thread (SCHED_RR at its lowest priority, or above the process's own where that is real-time).
    case realTime = "real-time"
    case ordinary

    /// Makes the calling thread run as soon as it has something to do, where the system lets this process.
    static func raise() -> ThreadUrgency {
        var policy = SCHED_OTHER
        var parameters = sched_param()
        pthread_getschedparam(pthread_self(), &policy, &parameters)
        parameters.sched_priority = min(
            max(parameters.sched_priority + 1, sched_get_priority_min(SCHED_RR)), sched_get_priority_max(SCHED_RR))
        return pthread_setschedparam(pthread_self(), SCHED_RR, &parameters) == 0 ? .realTime : .ordinary
    }
}
