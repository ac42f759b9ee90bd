import FleetModel
import Units

/// What a live period was read from.
public struct LiveRecord: Hashable, Sendable {
    public var sources: [Source]

    public init(sources: [Source]) { self.sources = sources }

    /// One file of the live plane.
    public struct Source: Hashable, Sendable {
        /// Within the folder of the state, so that a report does not depend on where that lies.
        public var name: String
        /// Records of it that belong to the period.
        public var records: Int
        /// What names its content: the last hash of a chain, or a digest; `nil` for a database.
        public var hash: String?

        public init(name: String, records: Int, hash: String?) {
            self.name = name
            self.records = records
            self.hash = hash
        }
    }
}

/// One request as a gateway's ledger has it.
public struct LiveRequest: Hashable, Sendable {
    /// Tokens are those that were charged; `outputTokens` those that came.
    public var arrival: Arrival
    /// The pool's index in the scenario.
    public var pool: Int
    /// The number of the replica that answered; `nil` when none did.
    public var replica: Int?
    /// `nil` when the client hung up, no replica answered, or the worker refused it.
    public var outcome: RequestOutcome?
    /// `nil` when none came, or the answer came as a whole.
    public var firstToken: Instant?
    public var ended: Instant

    public init(
        arrival: Arrival, pool: Int, replica: Int?, outcome: RequestOutcome?, firstToken: Instant?, ended: Instant
    ) {
        self.arrival = arrival
        self.pool = pool
        self.replica = replica
        self.outcome = outcome
        self.firstToken = firstToken
        self.ended = ended
    }
}
