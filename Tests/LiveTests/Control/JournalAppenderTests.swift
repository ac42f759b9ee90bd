import Foundation
import Testing

@testable import Control
@testable import FleetModel
@testable import Formats
@testable import Scaling
@testable import Units

@Suite("A live controller's journal")
struct JournalAppenderTests {
    private let path = FileManager.default.temporaryDirectory.appending(
        path: "tidegate-journal-\(UUID())/journal.jsonl"
    )
    .path
    private let limits = GuardLimits(restartWindow: .seconds(60))
    private let pool = ObservedPool(id: PoolID("chat"), bounds: ReplicaBounds(minimum: 1, maximum: 9))

    private func open(_ policy: any ScalingPolicy = StaticPolicy(parameters: .init(replicas: 3))) throws
        -> JournalAppender.Opened
    {
        try JournalAppender.open(
            path: path, origin: "tests", policy: policy, limits: limits,
            observer: Observer(pools: [pool], window: .seconds(20), staleness: .seconds(20)))
    }

    private func tick(_ opened: inout JournalAppender.Opened, at seconds: Int64, restarted: Bool = false) throws {
        let now = Instant.epoch + .seconds(seconds)
        opened.loop.ingest(
            PoolStatus(
                pool: pool.id, time: now, readyReplicas: [ReplicaID(0)], starting: 0, draining: 0, appliedGeneration: 0,
                reachedGeneration: 0, target: 1, offerings: []))
        let record = opened.loop.tick(at: now, in: TickContext(epoch: 1, restarted: restarted))
        try opened.journal.append(record, by: opened.loop.policy)
    }

    @Test("A journal that is gone on with after a restart verifies as one")
    func goesOn() throws {
        var first = try open()
        #expect(first.last == nil)
        for second in 1...3 { try tick(&first, at: Int64(second) * 10) }
        var second = try open()
        #expect(second.last == Instant.epoch + .seconds(30))
        try tick(&second, at: 40, restarted: true)
        try tick(&second, at: 50)
        let summary = try JournalVerification.verify(path: path)
        #expect(summary.ticks == 5)
        #expect(summary.last == Instant.epoch + .seconds(50))
    }

    @Test("A line that its controller did not live to finish is taken off", arguments: [1, 40, 400])
    func tornLine(bytes: Int) throws {
        var first = try open()
        try tick(&first, at: 10)
        try tick(&first, at: 20)
        let whole = try String(contentsOfFile: path, encoding: .utf8)
        let torn = String(whole.dropLast(bytes))
        try torn.write(toFile: path, atomically: false, encoding: .utf8)
        var second = try open()
        #expect(second.torn > 0)
        #expect(second.last == Instant.epoch + .seconds(10))
        try tick(&second, at: 30, restarted: true)
        #expect(try JournalVerification.verify(path: path).ticks == 2)
    }

    @Test("A changed byte is found at its record, and the journal is not gone on with")
    func changedByte() throws {
        var first = try open()
        for second in 1...3 { try tick(&first, at: Int64(second) * 10) }
        var lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
        lines[2] = lines[2].replacingOccurrences(of: "\"ready\":1", with: "\"ready\":2")
        try (lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: JournalError.self) { try open() }
        do {
            _ = try JournalVerification.verify(path: path)
            Issue.record("a changed byte was not found")
        } catch let error as JournalError {
            #expect(error.line == 3)
        }
    }

    @Test("Another policy begins another journal, which names the one before")
    func anotherPolicy() throws {
        var first = try open()
        try tick(&first, at: 10)
        let hash = try JournalVerification.verify(path: path).hash
        var second = try open(StaticPolicy(parameters: .init(replicas: 5)))
        #expect(second.putAside != nil)
        #expect(second.journal.header.origin.contains(hash))
        try tick(&second, at: 20, restarted: true)
        #expect(try JournalVerification.verify(path: second.putAside!).ticks == 1)
        #expect(try JournalVerification.verify(path: path).ticks == 1)
    }

    @Test("The window without scale-in begins anew at a restart, and its journal still verifies")
    func restartWindow() throws {
        let fixed = StaticPolicy(parameters: .init(replicas: 1))
        var opened = try open(fixed)
        func observe(_ seconds: Int64, restarted: Bool) throws -> ControlRecord {
            let now = Instant.epoch + .seconds(seconds)
            opened.loop.ingest(
                PoolStatus(
                    pool: pool.id, time: now, readyReplicas: [], starting: 0, draining: 0, appliedGeneration: 0,
                    reachedGeneration: 0, target: 4, offerings: []))
            let record = opened.loop.tick(at: now, in: TickContext(epoch: 1, restarted: restarted))
            try opened.journal.append(record, by: opened.loop.policy)
            return record
        }
        for second in [0, 30, 70] { _ = try observe(Int64(second), restarted: false) }
        opened = try open(fixed)
        let first = try observe(80, restarted: true)
        #expect(first.interventions.contains { $0.rule == .restart || $0.rule == .incompleteData })
        let record = try observe(100, restarted: false)
        #expect(record.targets.isEmpty)
        #expect(try JournalVerification.verify(path: path).ticks == 5)
    }
}
