import FleetModel
import Units

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What bounds a load.
public struct LoadLimits: Hashable, Sendable {
    /// Connections at a time. A request that would need one more is not sent.
    public var connections: Int
    /// By class: how long its clients wait for the last token; `nil` for as long as it takes.
    public var timeouts: [TimeSpan?]
    /// How long answers are followed after the last request was due.
    public var drain: TimeSpan
    /// Whether a connection serves one request after another. Some servers give each open connection a thread, free or not
    /// (llama.cpp's does): a new connection then waits until a free one is closed, which would count as the engine's time.
    public var reusesConnections = true

    public init(connections: Int, timeouts: [TimeSpan?], drain: TimeSpan) {
        self.connections = connections
        self.timeouts = timeouts
        self.drain = drain
    }
}

/// How many files and connections the process may have open.
public enum DescriptorLimit {
    /// What is kept for all else: files, the event loop, standard streams.
    public static let reserve = 64

    /// Raises the limit as far as the system lets this process.
    ///
    /// - Returns: The limit then.
    public static func raise() -> Int {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return 256 }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if setrlimit(resource, &raised) == 0 { limit = raised }
        return Int(min(limit.rlim_cur, 1 << 20))
    }
}
