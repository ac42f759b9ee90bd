import Units

/// What a server takes from the network before it says no.
public struct ServerLimits: Hashable, Sendable {
    /// Bytes of a request's body.
    public var bodyBytes = 4 << 20
    /// Bytes of one header field, and of all of a request's.
    public var headerBytes = 16 << 10
    public var headerFields = 100
    /// Open connections, at each address; more wait to be accepted.
    public var connections = 4096
    /// How long a connection may be silent between requests or inside one that it sends.
    public var idle = TimeSpan.seconds(60)
    /// How long a client may take nothing of an answer that waits for it. Given up between once and twice of it.
    public var write = TimeSpan.seconds(30)

    public init() {}
}
