import GRDB
import Units

/// What became of a request that a gateway took.
public enum UsageOutcome: String, Hashable, Sendable, CaseIterable {
    /// The whole answer came.
    case completed
    /// Its class's timeout passed first.
    case timedOut = "timed_out"
    case clientGone = "client_gone"
    /// The replica broke off in the middle of the answer.
    case replicaLost = "replica_lost"
    /// The worker called the request invalid, or had no room.
    case refusedByWorker = "refused_by_worker"
    /// No replica answered it.
    case failed
}

/// What one request used, and what it is charged: never what it said.
public struct UsageRow: Hashable, Sendable {
    /// The gateway's name for it, each once.
    public var request: String
    public var tenant: String
    public var pool: String
    public var sloClass: String
    /// The replica that answered; `nil` when none did.
    public var replica: Int?
    public var arrivedAt: Instant
    public var firstTokenAt: Instant?
    public var endedAt: Instant
    public var promptTokens: Int
    public var outputTokens: Int
    public var outcome: UsageOutcome
    public var cost: USD
    /// What was held for it from its arrival on.
    public var precharge: USD

    public init(
        request: String, tenant: String, pool: String, sloClass: String, replica: Int?, arrivedAt: Instant,
        firstTokenAt: Instant?, endedAt: Instant, promptTokens: Int, outputTokens: Int, outcome: UsageOutcome,
        cost: USD, precharge: USD
    ) {
        self.request = request
        self.tenant = tenant
        self.pool = pool
        self.sloClass = sloClass
        self.replica = replica
        self.arrivedAt = arrivedAt
        self.firstTokenAt = firstTokenAt
        self.endedAt = endedAt
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.outcome = outcome
        self.cost = cost
        self.precharge = precharge
    }

    static let insertion = """
        INSERT INTO usage (request, tenant, pool, slo_class, replica, arrived_at_ns, first_token_at_ns, ended_at_ns,
            prompt_tokens, output_tokens, outcome, cost_nanodollars, precharge_nanodollars)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    var arguments: StatementArguments {
        [
            request, tenant, pool, sloClass, replica, arrivedAt.nanoseconds, firstTokenAt?.nanoseconds,
            endedAt.nanoseconds, promptTokens, outputTokens, outcome.rawValue, cost.nanodollars, precharge.nanodollars,
        ]
    }

    /// - Throws: when a column holds what this version never wrote there.
    init(row: Row) throws {
        let word: String = row["outcome"]
        guard let outcome = UsageOutcome(rawValue: word) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "'\(word)' is no outcome")
        }
        let first: Int64? = row["first_token_at_ns"]
        self.init(
            request: row["request"], tenant: row["tenant"], pool: row["pool"], sloClass: row["slo_class"],
            replica: row["replica"], arrivedAt: Instant(nanoseconds: row["arrived_at_ns"]),
            firstTokenAt: first.map(Instant.init(nanoseconds:)), endedAt: Instant(nanoseconds: row["ended_at_ns"]),
            promptTokens: row["prompt_tokens"], outputTokens: row["output_tokens"], outcome: outcome,
            cost: USD(nanodollars: row["cost_nanodollars"]),
            precharge: USD(nanodollars: row["precharge_nanodollars"]))
    }
}

/// What a tenant used of a pool in an hour of UTC.
public struct UsageHour: Hashable, Sendable {
    public var tenant: String
    public var pool: String
    public var hour: Instant
    public var requests: Int
    public var promptTokens: Int
    public var outputTokens: Int
    public var cost: USD
}
