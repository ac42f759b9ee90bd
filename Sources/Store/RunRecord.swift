import GRDB
import Units

/// A run as the store keeps it.
public struct RunRecord: Hashable, Sendable {
    /// By the caller's clock: the store reads none.
    public var startedAt: Instant
    public var scenario: String
    /// The policy's label, and the digest of its name and parameters.
    public var policy: String
    public var policyDigest: String
    public var seed: UInt64
    /// At least 1.
    public var replications: Int
    public var fingerprint: String
    public var cost: USD
    /// Where the run's files are; `nil` when none were written.
    public var outputFolder: String?
    /// Version of Tidegate.
    public var version: String
    /// The text of `summary.json`.
    public var summary: String

    public init(
        startedAt: Instant, scenario: String, policy: String, policyDigest: String, seed: UInt64, replications: Int,
        fingerprint: String, cost: USD, outputFolder: String?, version: String, summary: String
    ) {
        self.startedAt = startedAt
        self.scenario = scenario
        self.policy = policy
        self.policyDigest = policyDigest
        self.seed = seed
        self.replications = replications
        self.fingerprint = fingerprint
        self.cost = cost
        self.outputFolder = outputFolder
        self.version = version
        self.summary = summary
    }

    static let insertion = """
        INSERT INTO run (started_at_ns, scenario, policy, policy_digest, seed, replications, fingerprint,
            cost_nanodollars, output_folder, version, summary_json)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    var arguments: StatementArguments {
        // A seed is text because SQLite's integers are signed.
        [
            startedAt.nanoseconds, scenario, policy, policyDigest, String(seed), replications, fingerprint,
            cost.nanodollars, outputFolder, version, summary,
        ]
    }
}

/// A run in the store, with its number.
public struct StoredRun: Hashable, Sendable {
    public var id: Int64
    public var run: RunRecord

    /// - Throws: when a column holds what this version never wrote there.
    init(row: Row) throws {
        let seed: String = row["seed"]
        guard let seedValue = UInt64(seed) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "'\(seed)' is no seed")
        }
        id = row["id"]
        run = RunRecord(
            startedAt: Instant(nanoseconds: row["started_at_ns"]), scenario: row["scenario"], policy: row["policy"],
            policyDigest: row["policy_digest"], seed: seedValue, replications: row["replications"],
            fingerprint: row["fingerprint"], cost: USD(nanodollars: row["cost_nanodollars"]),
            outputFolder: row["output_folder"], version: row["version"], summary: row["summary_json"])
    }
}
