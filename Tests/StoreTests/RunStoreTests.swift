import Foundation
import GRDB
import Testing
import Units

@testable import Store

@Suite("The run store")
struct RunStoreTests {
    static func run(_ scenario: String, seed: UInt64 = 1) -> RunRecord {
        RunRecord(
            startedAt: Instant("2026-03-02T07:30:00.25Z")!, scenario: scenario, policy: "hpa", policyDigest: "d1",
            seed: seed, replications: 5, fingerprint: "f1", cost: USD("412.907200001")!, outputFolder: "out",
            version: "0.1.0", summary: "{\"a\":1}")
    }

    /// A folder that is gone after the test.
    static func inFolder<T>(_ body: (String) throws -> T) throws -> T {
        let folder = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.path)
    }

    @Test("A recorded run is read back whole, by another process too")
    func roundTrip() throws {
        try Self.inFolder { folder in
            let store = try RunStore(path: folder + "/runs.sqlite")
            try store.record(Self.run("chat", seed: .max))
            try store.close()
            let again = try RunStore(path: folder + "/runs.sqlite")
            #expect(try again.runs().map(\.run) == [Self.run("chat", seed: .max)])
        }
    }

    @Test("Runs are listed newest first, by scenario where asked, and no more than asked")
    func listing() throws {
        try Self.inFolder { folder in
            let store = try RunStore(path: folder + "/runs.sqlite")
            for name in ["chat", "code", "chat"] { try store.record(Self.run(name)) }
            #expect(try store.runs().map(\.id) == [3, 2, 1])
            #expect(try store.runs(scenario: "chat").map(\.id) == [3, 1])
            #expect(try store.runs(limit: 1).map(\.id) == [3])
        }
    }

    @Test("A file of another kind is refused and left as it was")
    func otherKind() throws {
        try Self.inFolder { folder in
            let path = folder + "/runs.sqlite"
            let text = String(repeating: "not a database\n", count: 100)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            #expect(throws: StoreError.notADatabase(path: path)) { try RunStore(path: path) }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        }
    }

    @Test("A damaged store is an error, not a crash")
    func damaged() throws {
        try Self.inFolder { folder in
            let path = folder + "/runs.sqlite"
            let store = try RunStore(path: path)
            for _ in 0..<200 { try store.record(Self.run("chat")) }
            try store.close()
            var bytes = try Data(contentsOf: URL(filePath: path))
            for index in 4096..<bytes.count { bytes[index] = 0xA5 }
            try bytes.write(to: URL(filePath: path))
            #expect(throws: StoreError.notADatabase(path: path)) { try RunStore(path: path).runs() }
        }
    }

    @Test("A missing folder is named")
    func missingFolder() throws {
        try Self.inFolder { folder in
            let path = folder + "/missing/runs.sqlite"
            let error = #expect(throws: StoreError.self) { try RunStore(path: path) }
            guard case .cannotOpen(path, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("A store that another process holds is locked, and nothing is recorded")
    func locked() throws {
        try Self.inFolder { folder in
            let path = folder + "/runs.sqlite"
            let store = try RunStore(path: path, patience: .milliseconds(50))
            let other = try DatabaseQueue(path: path)
            try other.inDatabase { db in
                try db.execute(sql: "BEGIN EXCLUSIVE")
                #expect(throws: StoreError.locked(path: path)) { try store.record(Self.run("chat")) }
                try db.execute(sql: "ROLLBACK")
            }
            #expect(try store.runs().isEmpty)
        }
    }

    @Test("A store of a newer version is refused")
    func newer() throws {
        try Self.inFolder { folder in
            let path = folder + "/runs.sqlite"
            try RunStore(path: path).close()
            try DatabaseQueue(path: path).write { db in
                try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('later')")
            }
            #expect(throws: StoreError.newerVersion(path: path)) { try RunStore(path: path) }
        }
    }
}
