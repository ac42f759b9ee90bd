import GRDB
import Units

/// The ledger of a gateway: a row for each request that it took, in one SQLite file that it alone writes.
///
/// One connection, a write-ahead log, and a sync with every commit: rows of a commit that has returned are on the disk,
/// whatever happens to the process or the machine. A commit costs a sync, so rows are added many at a time.
///
/// - Source: SQLite documentation, *Write-Ahead Logging* and `PRAGMA synchronous`: in WAL mode FULL syncs the log at every
///   commit.
public final class UsageLedger: Sendable {
    public let path: String
    private let database: DatabaseQueue

    /// Opens the ledger at `path`, making it (not its folder) when it is not there, and brings its tables up to date.
    ///
    /// - Parameter largestPages: The file's limit in pages of 4,096 bytes, for tests of a disk that is full.
    /// - Throws: `StoreError`: the file cannot be opened, is no database, is damaged, is locked, or was written by a
    ///   newer version.
    public init(path: String, largestPages: Int? = nil) throws(StoreError) {
        self.path = path
        database = try StoreError.translating(path) {
            var configuration = Configuration()
            // Nobody else writes it; a program that copies it may hold it for a moment.
            configuration.busyMode = .timeout(1)
            configuration.label = "tidegate ledger"
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
                if let largestPages { try db.execute(sql: "PRAGMA max_page_count = \(largestPages)") }
            }
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { _ = try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
            if try queue.read(Self.migrator.hasBeenSuperseded) { throw StoreError.newerVersion(path: path) }
            try Self.migrator.migrate(queue)
            return queue
        }
    }

    /// Opens the ledger at `path` to look into it, while a gateway may be writing it: no row and no table is touched, and
    /// nothing is moved from its log. SQLite may leave an empty log and its index beside it, with the ledger's owner.
    ///
    /// - Throws: `StoreError`: the file cannot be opened, is no ledger, is damaged, or was written by a newer version.
    public init(reading path: String) throws(StoreError) {
        self.path = path
        database = try StoreError.translating(path) {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            configuration.label = "tidegate ledger, read"
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            if try queue.read(Self.migrator.hasBeenSuperseded) { throw StoreError.newerVersion(path: path) }
            guard try queue.read({ try $0.tableExists("usage") }) else { throw StoreError.notADatabase(path: path) }
            return queue
        }
    }

    /// Hands out rows of requests that ended from `start` on and had arrived before `end`, in the order they were written,
    /// all of one moment. Memory does not grow with them.
    public func forEachRow(from start: Instant, to end: Instant, _ body: (UsageRow) -> Void) throws(StoreError) {
        try StoreError.translating(path) {
            try database.read { db in
                let rows = try Row.fetchCursor(
                    db, sql: "SELECT * FROM usage WHERE ended_at_ns >= ? AND arrived_at_ns < ? ORDER BY sequence",
                    arguments: [start.nanoseconds, end.nanoseconds])
                while let row = try rows.next() { body(try UsageRow(row: row)) }
            }
        }
    }

    /// Adds rows; when it returns they are durable, all of them, and when it throws none is.
    public func append(_ rows: [UsageRow]) throws(StoreError) {
        try StoreError.translating(path) {
            try database.write { db in
                let statement = try db.cachedStatement(sql: UsageRow.insertion)
                for row in rows { try statement.execute(arguments: row.arguments) }
            }
        }
    }

    /// Rows of requests that ended in a period, in the order they were written.
    public func rows(from start: Instant, to end: Instant) throws(StoreError) -> [UsageRow] {
        try StoreError.translating(path) {
            try database.read { db in
                try Row.fetchAll(
                    db, sql: "SELECT * FROM usage WHERE ended_at_ns >= ? AND ended_at_ns < ? ORDER BY sequence",
                    arguments: [start.nanoseconds, end.nanoseconds]
                ).map(UsageRow.init(row:))
            }
        }
    }

    /// Sums by tenant, pool and hour of UTC in which requests ended, in that order: what a bill is split by.
    public func hours(from start: Instant, to end: Instant) throws(StoreError) -> [UsageHour] {
        try StoreError.translating(path) {
            try database.read { db in
                try Row.fetchAll(
                    db,
                    sql: """
                        SELECT tenant, pool, ended_at_ns / 3600000000000 AS hour, count(*) AS requests,
                            sum(prompt_tokens) AS prompt_tokens, sum(output_tokens) AS output_tokens,
                            sum(cost_nanodollars) AS cost
                        FROM usage WHERE ended_at_ns >= ? AND ended_at_ns < ? GROUP BY tenant, pool, hour
                        ORDER BY tenant, pool, hour
                        """, arguments: [start.nanoseconds, end.nanoseconds]
                ).map { row in
                    let hour: Int64 = row["hour"]
                    return UsageHour(
                        tenant: row["tenant"], pool: row["pool"],
                        hour: Instant(nanoseconds: hour * 3_600_000_000_000), requests: row["requests"],
                        promptTokens: row["prompt_tokens"], outputTokens: row["output_tokens"],
                        cost: USD(nanodollars: row["cost"]))
                }
            }
        }
    }

    /// What each tenant was charged for requests that ended in a period.
    public func spending(from start: Instant, to end: Instant) throws(StoreError) -> [String: USD] {
        try StoreError.translating(path) {
            try database.read { db in
                let sums = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT tenant, sum(cost_nanodollars) AS cost FROM usage
                        WHERE ended_at_ns >= ? AND ended_at_ns < ? GROUP BY tenant
                        """, arguments: [start.nanoseconds, end.nanoseconds])
                return Dictionary(
                    uniqueKeysWithValues: sums.map { ($0["tenant"] as String, USD(nanodollars: $0["cost"])) })
            }
        }
    }

    /// Closes the file. The ledger is not used afterwards.
    public func close() throws(StoreError) { try StoreError.translating(path) { try database.close() } }

    /// Each step is final once released: a ledger in use has already run it.
    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("usage") { db in
            try db.execute(
                sql: """
                    CREATE TABLE usage (
                        sequence INTEGER PRIMARY KEY,
                        request TEXT NOT NULL UNIQUE,
                        tenant TEXT NOT NULL,
                        pool TEXT NOT NULL,
                        slo_class TEXT NOT NULL,
                        replica INTEGER,
                        arrived_at_ns INTEGER NOT NULL,
                        first_token_at_ns INTEGER,
                        ended_at_ns INTEGER NOT NULL,
                        prompt_tokens INTEGER NOT NULL,
                        output_tokens INTEGER NOT NULL,
                        outcome TEXT NOT NULL,
                        cost_nanodollars INTEGER NOT NULL,
                        precharge_nanodollars INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX usage_by_end ON usage (ended_at_ns);
                    """)
        }
        return migrator
    }
}
