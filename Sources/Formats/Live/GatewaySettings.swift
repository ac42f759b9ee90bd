import FleetModel
import Units

/// Where a server listens.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address, without brackets.
    public var host: String
    /// 0 for any free one.
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// How a gateway listens, what it takes from the network, and how it treats replicas: the section `gateway` of a live
/// configuration.
public struct GatewaySettings: Hashable, Sendable {
    public enum Authentication: String, Hashable, Sendable, CaseIterable {
        /// A tenant is known by its key.
        case keys
        /// Whoever reaches the port is served, as the tenant that the member `user` of a body names, or the first.
        case none
    }

    public enum Log: String, Hashable, Sendable, CaseIterable {
        /// A line for each request.
        case requests
        case none
    }

    /// Where clients come.
    public var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    /// Where the controller, operators and scrapers come.
    public var admin = ListenAddress(host: "127.0.0.1", port: 8081)
    public var authentication = Authentication.keys
    /// Event loops; a client's connection and those to replicas for it are on the same one.
    public var threads = 1
    public var limits = GatewayLimits()
    /// Further replicas that a request is tried on before its first byte has come back.
    public var retries = 2
    public var hedging: HedgingRules?
    public var ejection = EjectionRules()
    /// Names beside a pool's own, and what its workers call the model.
    public var models: [PoolID: ModelNames] = [:]
    public var log = Log.requests
    /// Mutual TLS with the controller and with workers.
    public var tls: TLSFileNames?
    /// Whether clients are served by TLS too, with the same certificate. They show none: their key says who they are.
    public var servesClientsByTLS = false

    public init() {}
}

/// Where a part of the live plane finds its certificate and whom it trusts.
public struct TLSFileNames: Hashable, Sendable {
    /// PEM, with the part's role in it.
    public var certificate: String
    public var key: String
    /// PEM of the authority of the other parts.
    public var authority: String

    public init(certificate: String, key: String, authority: String) {
        self.certificate = certificate
        self.key = key
        self.authority = authority
    }
}

/// The names of a pool's model.
public struct ModelNames: Hashable, Sendable {
    /// What the workers serve under; `nil` where that is what the client wrote.
    public var upstream: String?
    /// Names that clients may write beside the pool's.
    public var aliases: [String]

    public init(upstream: String? = nil, aliases: [String] = []) {
        self.upstream = upstream
        self.aliases = aliases
    }
}

/// What a gateway takes from the network before it says no.
public struct GatewayLimits: Hashable, Sendable {
    /// Bytes of a request's body.
    public var bodyBytes = 4 << 20
    /// Bytes of all of a request's header fields.
    public var headerBytes = 16 << 10
    public var headerFields = 100
    /// Open connections; more wait to be accepted.
    public var connections = 4096
    /// How long a connection may be silent between requests.
    public var idle = TimeSpan.seconds(60)
    /// How long a client may take to send a request.
    public var receive = TimeSpan.seconds(30)
    /// How long a client may take nothing of an answer that waits for it.
    public var send = TimeSpan.seconds(30)
    /// Bytes of an answer that is not streamed: it is put together before it is sent on.
    public var answerBytes = 64 << 20

    public init() {}
}

/// A second replica for a request whose first one is silent; the first byte wins.
public struct HedgingRules: Hashable, Sendable {
    /// How long the first one may be silent.
    public var after: TimeSpan
    /// At most this share of requests. Range: 0...1.
    public var share: Double

    public init(after: TimeSpan, share: Double = 0.05) {
        self.after = after
        self.share = share
    }
}

/// When a replica gets nothing new, and for how long.
public struct EjectionRules: Hashable, Sendable {
    /// How long a replica may send no byte while requests run on it.
    public var stall = TimeSpan.seconds(30)
    public var connect = TimeSpan.seconds(2)
    /// Before it is tried with one request; doubled each time that fails.
    public var backOff = TimeSpan.seconds(1)
    public var longestBackOff = TimeSpan.seconds(60)

    public init() {}
}

/// Who a tenant is, and what it may use.
public struct TenantTerms: Hashable, Sendable {
    public var name: String
    /// SHA-256 of each of its keys, 64 hexadecimal digits.
    public var keyDigests: [String]
    /// Prompt tokens and the most that may be answered, counted when a request comes, corrected when it ends.
    public var tokensPerMinute: Int?
    public var requestsPerMinute: Int?
    /// For a day of UTC.
    public var dailyBudget: USD?
    /// Tokens of an answer.
    public var maxOutputTokens: Int?
    /// Tokens of prompt and answer.
    public var maxContext: Int?

    public init(
        name: String, keyDigests: [String] = [], tokensPerMinute: Int? = nil, requestsPerMinute: Int? = nil,
        dailyBudget: USD? = nil, maxOutputTokens: Int? = nil, maxContext: Int? = nil
    ) {
        self.name = name
        self.keyDigests = keyDigests
        self.tokensPerMinute = tokensPerMinute
        self.requestsPerMinute = requestsPerMinute
        self.dailyBudget = dailyBudget
        self.maxOutputTokens = maxOutputTokens
        self.maxContext = maxContext
    }
}

/// What a holder of an admin token may do. Each role may do what those before it may.
public enum AdminRole: String, Hashable, Sendable, CaseIterable, Comparable {
    /// Read.
    case viewer
    /// Set replicas and caps, as a controller does.
    case scaler
    /// Everything.
    case `operator`

    public static func < (a: AdminRole, b: AdminRole) -> Bool {
        allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
}

/// A token of the admin listener, by its digest.
public struct AdminToken: Hashable, Sendable {
    /// SHA-256, 64 hexadecimal digits.
    public var digest: String
    public var role: AdminRole

    public init(digest: String, role: AdminRole) {
        self.digest = digest
        self.role = role
    }
}
