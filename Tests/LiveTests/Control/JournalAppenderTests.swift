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

    private func open(
        _ policy: any ScalingPolicy = StaticPolicy(parameters: .init(replicas: 3)), isDaily: Bool = false
    ) throws -> JournalAppender.Opened {
        try JournalAppender.open(
            path: path, origin: "tests", policy: policy, limits: limits,
            observer: Observer(pools: [pool], window: .seconds(20), staleness: .seconds(20)), isDaily: isDaily)
    }

    private func tick(_ opened: inout JournalAppender.Opened, at seconds: Int64, restarted: Bool = false) throws {
        let now = Instant.epoch + .seconds(seconds)
        opened.loop.ingest(
            PoolStatus(
                pool: pool.id, time: now, readyReplicas: [ReplicaID(0)], starting: 0, draining: 0, appliedGeneration: 0,
                reachedGeneration: 0, target: 1, offerings: []))
        let record = opened.loop.tick(at: now, in: TickContext(epoch: 1, restarted: restarted))
        try opened.journal.append(record, of: opened.loop)
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

    @Test("A controller that died before the first line was whole begins anew", arguments: [0, 1, 20, 90])
    func tornHeader(bytes: Int) throws {
        _ = try open()
        let whole = try String(contentsOfFile: path, encoding: .utf8)
        try String(whole.prefix(bytes)).write(toFile: path, atomically: false, encoding: .utf8)
        var opened = try open()
        #expect(opened.torn == bytes)
        #expect(opened.putAside == nil)
        try tick(&opened, at: 10)
        #expect(try JournalVerification.verify(path: path).ticks == 1)
    }

    @Test("A file that is no journal is left as it is")
    func otherFile() throws {
        _ = try open()
        try "a shopping list".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: JournalError.self) { try open() }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "a shopping list")
    }

    /// One that remembers something at each tick.
    private var remembering: any ScalingPolicy {
        HorizontalPodAutoscaler(parameters: .init(targetPerReplica: 4, scaleDownStabilization: .seconds(90)))
    }

    @Test("From its checkpoint a journal goes on as from its first line, without those before it")
    func checkpoint() throws {
        let checkpoint = JournalCheckpoint.path(ofJournal: path)
        var opened = try open(remembering)
        let lines = JournalCheckpoint.interval + 40
        for number in 1...lines { try tick(&opened, at: Int64(number) * 10) }
        #expect(FileManager.default.fileExists(atPath: checkpoint))
        let short = try #require(JournalCheckpoint.replay(journal: path))
        #expect(short.lines == 40)
        let (_, whole) = try JournalVerification.replay(path: path, policy: nil, progress: nil)
        let observer = Observer(pools: [pool], window: .seconds(20), staleness: .seconds(20))
        var (fast, slow) = (short.0.resumed(with: observer), whole.resumed(with: observer))
        #expect(fast.last == slow.last)
        #expect(try ParameterValue(encoding: fast.loop.memory) == ParameterValue(encoding: slow.loop.memory))
        for second in [10, 20, 100] as [Int64] {
            let now = Instant.epoch + .seconds(Int64(lines) * 10 + second)
            let context = TickContext(epoch: 2, restarted: second == 10)
            let (one, other) = (fast.loop.tick(at: now, in: context), slow.loop.tick(at: now, in: context))
            #expect(
                try fast.writer.line(of: one, by: fast.loop.policy) == slow.writer.line(of: other, by: slow.loop.policy)
            )
        }
        // The journal that goes on from it verifies from its first line.
        opened = try open(remembering)
        try tick(&opened, at: Int64(lines + 1) * 10, restarted: true)
        #expect(try JournalVerification.verify(path: path).ticks == lines + 1)
    }

    @Test(
        "A checkpoint that does not belong to its journal is passed over", arguments: ["another", "changed", "shorter"])
    func foreignCheckpoint(kind: String) throws {
        let checkpoint = JournalCheckpoint.path(ofJournal: path)
        var opened = try open(remembering)
        for number in 1...(JournalCheckpoint.interval + 3) { try tick(&opened, at: Int64(number) * 10) }
        let text = try String(contentsOfFile: checkpoint, encoding: .utf8)
        var expected = JournalCheckpoint.interval + 3
        switch kind {
        case "another":
            let other = text.replacingOccurrences(
                of: opened.journal.header.hash, with: String(repeating: "0", count: 64))
            try other.write(toFile: checkpoint, atomically: false, encoding: .utf8)
        case "changed":
            // Its policy remembers otherwise than the line says.
            let other = text.replacingOccurrences(of: "\"count\":1", with: "\"count\":2")
            try #require(other != text)
            try other.write(toFile: checkpoint, atomically: false, encoding: .utf8)
        default:
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            expected = JournalCheckpoint.interval - 1
            try (lines.prefix(expected + 1).joined(separator: "\n") + "\n")
                .write(toFile: path, atomically: false, encoding: .utf8)
        }
        #expect(JournalCheckpoint.replay(journal: path) == nil)
        let again = try open(remembering)
        #expect(again.last == Instant.epoch + .seconds(Int64(expected) * 10))
    }

    private var folder: String { URL(filePath: path).deletingLastPathComponent().path }

    /// A journal of two days and the beginning of a third.
    private func threeDays(_ opened: inout JournalAppender.Opened) throws {
        for second in [86_370, 86_380, 86_390, 86_400, 86_410, 172_800, 172_810] as [Int64] {
            try tick(&opened, at: second)
        }
    }

    @Test("A day's journal is put aside with the next day's first tick; each is right alone and in order")
    func days() throws {
        var opened = try open(remembering, isDaily: true)
        try threeDays(&opened)
        let files = JournalSegments.files(in: folder)
        #expect(
            files.map { URL(filePath: $0).lastPathComponent } == [
                "journal.1.jsonl", "journal.2.jsonl", "journal.jsonl",
            ])
        #expect(try files.map { try JournalVerification.verify(path: $0).ticks } == [4, 2, 1])
        // A start goes on with what was remembered, and counts on.
        var again = try open(remembering, isDaily: true)
        #expect(again.last == Instant.epoch + .seconds(172_810))
        #expect(try ParameterValue(encoding: again.loop.memory) == ParameterValue(encoding: opened.loop.memory))
        try tick(&again, at: 172_820, restarted: true)
        var ticks: [Int] = []
        try JournalVerification.verify(segments: JournalSegments.files(in: folder)) { ticks.append($1.ticks) }
        #expect(ticks == [4, 2, 2])
        for number in 1...8 { #expect(try JournalLookup.line(of: number, in: path) != nil, "\(number)") }
        #expect(try JournalLookup.line(of: 9, in: path) == nil)
        // What the file holds besides is not read for a tick that was before it.
        let line = try #require(try JournalLookup.line(of: 2, in: path))
        let second = try String(contentsOfFile: files[1], encoding: .utf8)
        let header = second[...second.firstIndex(of: "\n")!]
        try (header + String(repeating: "x", count: 2 * LineScanner.longestLine)).write(
            toFile: files[1], atomically: true, encoding: .utf8)
        #expect(try JournalLookup.line(of: 2, in: path) == line && line.contains("\"sequence\":2,"))
        #expect(throws: InputError.self) { try JournalLookup.line(of: 5, in: path) }
        try second.write(toFile: files[1], atomically: true, encoding: .utf8)
        // Old ones may be taken away, and their numbers are not used again.
        try FileManager.default.removeItem(atPath: files[0])
        try tick(&again, at: 259_200)
        #expect(
            JournalSegments.files(in: folder).map { URL(filePath: $0).lastPathComponent }
                == ["journal.2.jsonl", "journal.3.jsonl", "journal.jsonl"])
        try JournalVerification.verify(segments: JournalSegments.files(in: folder)) { _, _ in }
    }

    /// One that remembers more than a line may hold.
    private struct Bulky: ScalingPolicy {
        struct Parameters: Codable, Sendable, Hashable {}
        struct Memory: Codable, Sendable { var text = String(repeating: "x", count: LineScanner.longestLine) }
        static let name = "bulky"
        let parameters = Parameters()
        let memory = Memory()
        init(parameters: Parameters, memory: Memory?) {}
        func decide(_ observation: FleetObservation) -> ScalingDecision { ScalingDecision(.hold(.fixed)) }
    }

    @Test("A journal whose next one could not be read goes on as it is")
    func bulkyDays() throws {
        var opened = try open(Bulky(parameters: .init(), memory: nil), isDaily: true)
        try threeDays(&opened)
        #expect(JournalSegments.files(in: folder) == [path])
        let scanner = try LineScanner(path: path, name: path)
        var lines = 0
        while try scanner.next() != nil { lines += 1 }
        #expect(lines == 8)
    }

    @Test(
        "A file that does not go on where the one before it ends is found", arguments: ["memory", "left out", "other"])
    func brokenDays(kind: String) throws {
        var opened = try open(remembering, isDaily: true)
        try threeDays(&opened)
        let files = JournalSegments.files(in: folder)
        switch kind {
        case "memory":
            // Whoever signs the header again can change what is remembered; its own ticks may come out all the same.
            let line = try String(contentsOfFile: files[1], encoding: .utf8).split(separator: "\n")[0]
            var header = try JSONDecoder().decode(JournalHeader.self, from: Data(line.utf8))
            let text = try ParameterValue(encoding: header.continuation!).canonicalJSON
            let other = text.replacingOccurrences(of: "\"generation\":0", with: "\"generation\":5")
            try #require(other != text)
            let end = try JSONDecoder().decode(JournalContinuation.self, from: Data(other.utf8))
            header = try header.followed(after: end, origin: header.origin)
            try (try header.line + "\n").write(toFile: files[1], atomically: false, encoding: .utf8)
            #expect(try JournalVerification.verify(path: files[1]).ticks == 0)
        case "left out": try FileManager.default.removeItem(atPath: files[1])
        default:
            let other = JournalAppenderTests()
            var opened = try other.open(StaticPolicy(parameters: .init(replicas: 5)))
            try other.tick(&opened, at: 86_370)
            try FileManager.default.removeItem(atPath: files[0])
            try FileManager.default.moveItem(atPath: other.path, toPath: files[0])
        }
        #expect(throws: JournalError.self) {
            try JournalVerification.verify(segments: JournalSegments.files(in: folder)) { _, _ in }
        }
    }

    @Test("A controller that died between the two names of its journal goes on with it")
    func betweenNames() throws {
        var opened = try open(remembering, isDaily: true)
        for second in [86_380, 86_390] as [Int64] { try tick(&opened, at: second) }
        try FileManager.default.moveItem(atPath: path, toPath: "\(folder)/journal.1.jsonl")
        var again = try open(remembering, isDaily: true)
        #expect(again.last == Instant.epoch + .seconds(86_390))
        #expect(JournalSegments.files(in: folder) == [path])
        try tick(&again, at: 86_400, restarted: true)
        #expect(JournalSegments.files(in: folder).count == 2)
        try JournalVerification.verify(segments: JournalSegments.files(in: folder)) { _, _ in }
    }

    @Test("Another policy's journal names the one before, though a start died over its first line", arguments: [0, 40])
    func anotherPolicyAgain(bytes: Int) throws {
        var first = try open()
        try tick(&first, at: 10)
        let other = StaticPolicy(parameters: .init(replicas: 5))
        _ = try open(other)
        let whole = try String(contentsOfFile: path, encoding: .utf8)
        try String(whole.prefix(bytes)).write(toFile: path, atomically: false, encoding: .utf8)
        var second = try open(other)
        #expect(second.torn == bytes && second.putAside != nil)
        try tick(&second, at: 20, restarted: true)
        var ticks: [Int] = []
        try JournalVerification.verify(segments: JournalSegments.files(in: folder)) { ticks.append($1.ticks) }
        #expect(ticks == [1, 1])
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
            try opened.journal.append(record, of: opened.loop)
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
