import Control
import FleetModel
import Formats
import Foundation
import NIOPosix
import Testing

@testable import Live
@testable import Units

@Suite("Pools that the scenario has no more")
struct RetiredPoolsTests {
    @Test(
        "A pool that the scenario has no more ends once its gateway sends it nothing new, or does not know it",
        .timeLimit(.minutes(1)), arguments: ["chat", "other"])
    func retired(known: String) async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        try await pool.tended(by: pool.controller())
        let clock = LiveClock()
        #expect(LocalPool.retired(in: pool.root, besides: [PoolID("chat")], clock: clock).pools.isEmpty)
        let found = LocalPool.retired(in: pool.root, besides: [PoolID("code")], clock: clock).pools
        try #require(found.count == 1)
        let tendingFound = Task { await found[0].run() }
        defer { tendingFound.cancel() }
        let configuration = TestGateway.configuration(
            pool: .init(id: PoolID(known), maxSequences: 4, maxContext: 512, price: TestGateway.dollar))
        try await TestGateway.with(configuration) { gateway in
            let client = GatewayClient(
                target: try LoadTarget("http://127.0.0.1:\(gateway.adminPort)"), token: nil, group: .singleton)
            let retired = RetiredPools(found, gateway: client)
            #expect(try await retired.begin(epoch: 2, isActive: false).first?.contains("only watches") == true)
            #expect(try await retired.carryOn(epoch: 2, at: clock.now).isEmpty)
            _ = try await retired.begin(epoch: 2, isActive: true)
            // Nobody is told to end before the gateway was.
            try await Task.sleep(for: .milliseconds(1200))
            #expect(pool.running == ["r0", "r1"])
            #expect(try await found[0].status(at: .epoch).pool.draining == 2)

            #expect(try await retired.carryOn(epoch: 2, at: clock.now).isEmpty)
            let pools = try await HTTP.get(gateway.adminPort, "/admin/v1/pools").text
            #expect(pools.components(separatedBy: #""state":"draining""#).count == (known == "chat" ? 3 : 1))
            var notes: [String] = []
            try await until("it is forgotten") {
                let more = try await retired.carryOn(epoch: 2, at: clock.now)
                notes += more
                return !FileManager.default.fileExists(atPath: LocalPoolState.path(pool.folder))
            }
            #expect(notes == ["pool 'chat', which is not in the scenario any more, has no workers left"])
            #expect(pool.running.isEmpty)
            let usage = try MachineUsageFile.read(path: "\(pool.folder)/usage.jsonl")
            #expect(usage.count == 2 && usage.allSatisfy { $0.record.terminated })
        }
        #expect(LocalPool.retired(in: pool.root, besides: [], clock: clock).pools.isEmpty)
    }

    @Test("Such a pool stays until its usage is written, whichever controller writes it", .timeLimit(.minutes(1)))
    func unwrittenUsage() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        try await pool.tended(by: pool.controller())
        let (clock, usage) = (LiveClock(), "\(pool.folder)/usage.jsonl")
        try FileManager.default.createDirectory(atPath: usage, withIntermediateDirectories: false)
        try await TestGateway.with { gateway in
            let client = GatewayClient(
                target: try LoadTarget("http://127.0.0.1:\(gateway.adminPort)"), token: nil, group: .singleton)
            var calls: Int64 = 0
            /// Does what is due, as if a second had gone by.
            func carryOn(_ retired: RetiredPools, in epoch: Int) async throws -> [String] {
                calls += 1
                return try await retired.carryOn(epoch: epoch, at: clock.now + .seconds(calls))
            }
            let second = LocalPool.retired(in: pool.root, besides: [], clock: clock).pools
            try #require(second.count == 1)
            let tendingSecond = Task { await second[0].run() }
            defer { tendingSecond.cancel() }
            var retired = RetiredPools(second, gateway: client)
            _ = try await retired.begin(epoch: 2, isActive: true)
            try await until("it says what it waits for") {
                try await carryOn(retired, in: 2).contains { $0.contains("usage.jsonl: error: cannot be written") }
            }
            #expect(pool.running.isEmpty)

            let third = LocalPool.retired(in: pool.root, besides: [], clock: clock).pools
            try #require(third.count == 1)
            retired = RetiredPools(third, gateway: client)
            _ = try await retired.begin(epoch: 3, isActive: true)
            #expect(try await carryOn(retired, in: 3).count == 1)
            try FileManager.default.removeItem(atPath: usage)
            #expect(
                try await carryOn(retired, in: 3) == [
                    "pool 'chat', which is not in the scenario any more, has no workers left"
                ])
        }
        #expect(!FileManager.default.fileExists(atPath: LocalPoolState.path(pool.folder)))
        let records = try MachineUsageFile.read(path: usage)
        #expect(records.map(\.record.instance).sorted() == ["chat-i0", "chat-i1"])
        #expect(records.allSatisfy { $0.record.terminated && $0.replicas?.count == 1 })
    }

    @Test("A state that cannot be read is told of, and left as it is", arguments: [true, false])
    func damaged(isActive: Bool) async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let path = LocalPoolState.path(pool.folder)
        try FileManager.default.createDirectory(atPath: pool.folder, withIntermediateDirectories: true)
        try "a shopping list\n".write(toFile: path, atomically: true, encoding: .utf8)
        let clock = LiveClock()
        let found = LocalPool.retired(in: pool.root, besides: [PoolID("code")], clock: clock)
        #expect(found.pools.isEmpty)
        let nobody = GatewayClient(target: try LoadTarget("http://127.0.0.1:9"), token: nil, group: .singleton)
        let retired = RetiredPools(found.pools, damaged: found.damaged, gateway: nobody)
        let notes = try await retired.begin(epoch: 1, isActive: isActive)
        #expect(notes.count == 1 && notes[0].contains("\(path): error: ") && notes[0].contains("move it away"))
        #expect(try await retired.carryOn(epoch: 1, at: clock.now).isEmpty)
        // In a pool of the scenario it is in the way of who takes that over.
        #expect(LocalPool.retired(in: pool.root, besides: [PoolID("chat")], clock: clock).damaged.isEmpty)
        await #expect(throws: LocalPoolStateError.self) { try await pool.controller().begin(epoch: 1) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "a shopping list\n")
    }
}
