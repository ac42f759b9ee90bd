import GRDB
import Units

/// The record of runs: one SQLite file, one connection.
///
/// A run's own files are the result; the store is an index of them. So a store that cannot be opened or written is an
/// error to report beside the result, never a reason to lose it: write the files first.
///
/// One connection with SQLite's default journal: a run is recorded now and then, so a pool of connections or a
/// write-ahead log has nothing to offer here, and a single file is easier to copy.
public final class RunStore: Sendable {
    /// How long to wait for another process that is writing.
    public static let patience = TimeSpan.seconds(5)

    public let path: String
    private let database: DatabaseQueue

    /// Opens the store at `path`, making it (not its folder) when it is not there, and brings its tables up to date.
    ///
    /// - Parameter patience: How long to wait for another process before it counts as locked.
    /// - Throws: `StoreError`: the file cannot be opened, is no database, is damaged, is locked, or was written by a
    ///   newer version.
    public init(path: String, patience: TimeSpan = RunStore.patience) throws(StoreError) {
        self.path = path
        database = try StoreError.translating(path) {
            var configuration = Configuration()
            configuration.busyMode = .timeout(patience.seconds)
            configuration.label = "tidegate runs"
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            // Opening reads nothing: ask, so that a file of another kind is told from an empty one.
            try queue.read { _ = try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
            if try queue.read(Self.migrator.hasBeenSuperseded) { throw StoreError.newerVersion(path: path) }
            try Self.migrator.migrate(queue)
            return queue
        }
    }

    /// Adds a run; returns its number, which is never used again.
    ///
    /// - Throws: `StoreError` when the run is not recorded; earlier ones are as they were.
    @discardableResult
    public func record(_ run: RunRecord) throws(StoreError) -> Int64 {
        try StoreError.translating(path) {
            try database.write { db in
                try db.execute(sql: RunRecord.insertion, arguments: run.arguments)
                return db.lastInsertedRowID
            }
        }
    }

    /// The latest runs, newest first.
    ///
    /// - Parameters:
    ///   - limit: At most this many.
    ///   - scenario: Only those of one scenario; `nil` for all.
    public func runs(limit: Int = 100, scenario: String? = nil) throws(StoreError) -> [StoredRun] {
        try StoreError.translating(path) {
            try database.read { db in
                try Row.fetchAll(
                    db, sql: "SELECT * FROM run WHERE ?1 IS NULL OR scenario = ?1 ORDER BY id DESC LIMIT ?2",
                    arguments: [scenario, limit]
                ).map(StoredRun.init(row:))
            }
        }
    }

    /// Closes the file. The store is not used afterwards.
    public func close() throws(StoreError) { try StoreError.translating(path) { try database.close() } }

    /// Each step is final once released: a store in use has already run it.
    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("runs") { db in
            try db.execute(
                sql: """
                    CREATE TABLE run (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        started_at_ns INTEGER NOT NULL,
                        scenario TEXT NOT NULL,
                        policy TEXT NOT NULL,
                        policy_digest TEXT NOT NULL,
                        seed TEXT NOT NULL,
                        replications INTEGER NOT NULL CHECK (replications >= 1),
                        fingerprint TEXT NOT NULL,
                        cost_nanodollars INTEGER NOT NULL,
                        output_folder TEXT,
                        version TEXT NOT NULL,
                        summary_json TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX run_by_scenario ON run (scenario, id);
                    """)
        }
        return migrator
    }
}
