import FleetModel
import Units

/// Synthetic traffic of one kind: when requests come, how long they are, and whose they are.
///
/// Each source has its own random streams, named after it, with the draws of a request found by its number in the
/// source. So changing one source leaves every other as it was, and changing a source's lengths leaves its arrival
/// times as they were.
public struct TrafficSource: Hashable, Sendable, Codable {
    /// A name that is unique in the scenario: it names the random streams.
    public var name: String
    /// Where its requests are served.
    public var pool: PoolID
    /// Who sends them. At least one, each with a positive share.
    public var tenants: [TenantShare]
    /// Index into the scenario's SLO classes.
    public var sloClass: Int
    public var arrivals: ArrivalProcess
    public var rate: RateProfile
    /// Tokens of a prompt; with sessions, of a new message.
    public var promptTokens: LengthDistribution
    /// Tokens of an answer, drawn independently of the prompt.
    public var outputTokens: LengthDistribution
    /// How well these parameters are known; `nil` takes them as exact.
    public var evidence: DemandEvidence?
    /// What prompts start with in common; `nil` for nothing.
    public var sharedPrefix: SharedPrefix?
    /// The conversations that requests are turns of; `nil` where each stands alone.
    public var sessions: Sessions?

    public init(
        name: String, pool: PoolID, tenants: [TenantShare], sloClass: Int = 0, arrivals: ArrivalProcess = .poisson,
        rate: RateProfile, promptTokens: LengthDistribution, outputTokens: LengthDistribution,
        evidence: DemandEvidence? = nil, sharedPrefix: SharedPrefix? = nil, sessions: Sessions? = nil
    ) {
        self.name = name
        self.pool = pool
        self.tenants = tenants
        self.sloClass = sloClass
        self.arrivals = arrivals
        self.rate = rate
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.evidence = evidence
        self.sharedPrefix = sharedPrefix
        self.sessions = sessions
    }

    /// What makes the source unusable, in words that follow its name; `nil` when nothing does.
    public var problem: String? {
        if let problem = TenantShare.problem(of: tenants) ?? arrivals.problem ?? rate.problem { return problem }
        if let problem = promptTokens.problem { return "prompt tokens: \(problem)" }
        if let problem = outputTokens.problem { return "output tokens: \(problem)" }
        if let problem = sharedPrefix?.problem ?? sessions?.problem { return problem }
        if let prefix = sharedPrefix, let maximum = promptTokens.maximum, maximum <= prefix.tokens {
            return "prompts of at most \(maximum) tokens that start with \(prefix.tokens)"
        }
        return nil
    }
}

/// A tenant's part of some traffic.
public struct TenantShare: Hashable, Sendable, Codable {
    /// Index into the scenario's tenants.
    public var tenant: Int
    /// Weight against the other tenants of the same traffic; weights need not sum to 1. Positive.
    public var share: Double

    public init(tenant: Int, share: Double) {
        self.tenant = tenant
        self.share = share
    }

    static func problem(of tenants: [TenantShare]) -> String? {
        if tenants.isEmpty { return "no tenant sends it" }
        if !tenants.allSatisfy({ $0.share > 0 && $0.share.isFinite }) { return "a tenant's share is not positive" }
        return nil
    }
}

/// Chooses tenants by their shares.
struct TenantChoice {
    private let tenants: [Int32]
    /// Share of the tenants up to and with each. The last is 1.
    private let cumulative: [Double]

    init(_ shares: [TenantShare]) {
        let total = shares.reduce(0) { $0 + $1.share }
        var sum = 0.0
        tenants = shares.map { Int32($0.tenant) }
        cumulative = shares.map {
            sum += $0.share
            return sum / total
        }
    }

    /// The only tenant; `nil` when there is a choice to draw.
    var only: Int32? { tenants.count == 1 ? tenants[0] : nil }

    func tenant(at u: Double) -> Int32 { tenants[cumulative.firstIndex { u < $0 } ?? tenants.count - 1] }
}
