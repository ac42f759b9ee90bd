import FleetModel
import Foundation
import Scaling
import Testing
import Units

@testable import Control

@Suite("Control loop")
struct ControlLoopTests {
    static func loop(_ policy: any ScalingPolicy, limits: GuardLimits = GuardLimits(restartWindow: .zero))
        -> ControlLoop
    {
        ControlLoop(
            observer: Observer(
                pools: [ObservedPool(id: chat, bounds: bounds)], window: .seconds(60), staleness: .seconds(45)),
            policy: policy, limits: limits)
    }

    /// A tick that sees everything, with `replicas` ready.
    static func tick(
        _ loop: inout ControlLoop, _ time: Int64, replicas: Int, target: Int? = nil, applied: Int = 0,
        sampled: Bool = true
    ) -> ControlRecord {
        loop.ingest(status(time, ready: Array(1...replicas), target: target, applied: applied))
        if sampled { for replica in 1...replicas { loop.ingest(sample(time, replica: replica)) } }
        return loop.tick(at: at(time))
    }

    @Test("Applied decisions are numbered from what the pools report, and holding sends nothing")
    func generations() {
        var loop = Self.loop(Scripted(4, 4, 6))
        let first = Self.tick(&loop, 0, replicas: 3, applied: 7)
        #expect(first.targets.map(\.generation) == [8] && first.targets[0].replicas == 4)
        #expect(first.targets[0].reason == "scripted" && first.sequence == 1)
        #expect(Self.tick(&loop, 15, replicas: 4, applied: 8).targets.isEmpty)
        #expect(Self.tick(&loop, 30, replicas: 4, applied: 8).targets.map(\.generation) == [9])
    }

    @Test("A level under way is not sent again until it must be lost", arguments: [45, 46])
    func underWay(seconds: Int64) {
        var loop = Self.loop(Scripted(5))
        #expect(Self.tick(&loop, 0, replicas: 3).targets.count == 1)
        let again = Self.tick(&loop, seconds, replicas: 3, applied: 0)
        #expect(again.targets.count == (seconds == 45 ? 0 : 1))
    }

    @Test("Scale-in is refused while a replica is silent, and scale-out is not")
    func staleData() {
        var loop = Self.loop(Scripted(4, 2, 6))
        _ = Self.tick(&loop, 0, replicas: 4)
        let blind = Self.tick(&loop, 60, replicas: 4, sampled: false)
        #expect(blind.targets.isEmpty)
        #expect(blind.interventions.map(\.rule) == [.incompleteData])
        #expect(blind.interventions.map(\.proposed) == [2] && blind.interventions.map(\.allowed) == [4])
        #expect(Self.tick(&loop, 75, replicas: 4, sampled: false).targets.map(\.replicas) == [6])
    }

    @Test("A fresh loop removes nothing for its first window", arguments: [(59, 0), (60, 1)])
    func restart(seconds: Int64, sent: Int) {
        var loop = Self.loop(Scripted(2), limits: GuardLimits(restartWindow: .seconds(60)))
        let first = Self.tick(&loop, 0, replicas: 4)
        #expect(first.targets.isEmpty && first.interventions.map(\.rule) == [.restart])
        #expect(Self.tick(&loop, seconds, replicas: 4).targets.count == sent)
    }

    @Test("A pool that someone else changed is left alone for the freeze, then taken up from there")
    func foreignChange() {
        var loop = Self.loop(
            Scripted(4), limits: GuardLimits(restartWindow: .zero, freeze: .seconds(100)))
        #expect(Self.tick(&loop, 0, replicas: 3).targets.map(\.replicas) == [4])
        #expect(Self.tick(&loop, 15, replicas: 4, applied: 1).interventions.isEmpty)
        // Our generation, and not our level.
        let changed = Self.tick(&loop, 30, replicas: 4, target: 7, applied: 1)
        #expect(changed.targets.isEmpty && changed.interventions.map(\.rule) == [.foreignChange])
        #expect(Self.tick(&loop, 129, replicas: 7, applied: 1).targets.isEmpty)
        #expect(Self.tick(&loop, 130, replicas: 7, applied: 1).targets.map(\.replicas) == [4])
    }

    @Test("A level that is merely not there yet freezes nothing")
    func notYet() {
        var loop = Self.loop(Scripted(6, 6, 8))
        #expect(Self.tick(&loop, 0, replicas: 3).targets.count == 1)
        let waiting = Self.tick(&loop, 15, replicas: 3, target: 3, applied: 0)
        #expect(waiting.interventions.isEmpty && waiting.targets.isEmpty)
        #expect(Self.tick(&loop, 30, replicas: 3, target: 3, applied: 0).targets.map(\.replicas) == [8])
    }

    @Test("A pool out of its bounds is brought back although the policy holds")
    func boundsWithoutPolicy() {
        var loop = Self.loop(HorizontalPodAutoscaler(parameters: .init()))
        let record = Self.tick(&loop, 0, replicas: 3, target: 0)
        #expect(record.decision.action == .hold(.fixed))
        #expect(record.targets.map(\.replicas) == [1])
        #expect(record.targets[0].reason.contains("bounds"))
    }

    /// A journal of `levels`, as lines.
    static func journal(_ loop: inout ControlLoop, ticks: [(time: Int64, replicas: Int, applied: Int)]) throws
        -> [String]
    {
        var writer = JournalWriter(try JournalHeader(origin: "test", policy: loop.policy, limits: loop.limits))
        var lines = [try writer.header.line]
        for each in ticks {
            let record = Self.tick(&loop, each.time, replicas: each.replicas, applied: each.applied)
            lines.append(try writer.line(of: record, by: loop.policy))
        }
        return lines
    }

    static func read(_ line: String) throws -> JournalRecord {
        try JSONDecoder().decode(JournalRecord.self, from: Data(line.utf8))
    }

    @Test("The journal is a chain that breaks where a line is changed, and carries the policy's digests")
    func journal() throws {
        var loop = Self.loop(Scripted(3, 5, 2))
        let text = try Self.journal(&loop, ticks: [(0, 3, 0), (15, 3, 0), (30, 5, 1)])
        let header = try JSONDecoder().decode(JournalHeader.self, from: Data(text[0].utf8))
        #expect(header.isIntact && header.policy.name == "scripted")
        let lines = try text.dropFirst().map(Self.read)
        #expect(lines.map(\.previous) == [header.hash, lines[0].hash, lines[1].hash])
        #expect(lines.map(\.isIntact) == [true, true, true])
        #expect(Set(lines.map(\.parametersDigest)).count == 1)
        #expect(Set(lines.map(\.memoryDigest)).count == 3)
        // The hash was filled into text that was made once: it must be the canonical text all the same.
        #expect(try zip(text.dropFirst(), lines).allSatisfy { try ParameterValue(encoding: $1).canonicalJSON == $0 })
        var forged = lines[1]
        forged.record.targets[0].replicas = 50
        #expect(!forged.isIntact)
    }

    @Test("A journal replayed through the same policy comes out byte for byte", arguments: ["hpa", "queue-depth"])
    func replay(name: String) throws {
        var loop = Self.loop(try PolicyCatalog.policy(named: name, parameters: [:]))
        var writer = JournalWriter(try JournalHeader(origin: "test", policy: loop.policy, limits: loop.limits))
        var replay = try JournalReplay(writer.header, text: try writer.header.line)
        var noise: UInt64 = 7
        var level = 3
        var applied = 0
        for tick in 0..<200 {
            noise = noise &* 6_364_136_223_846_793_005 &+ 1
            let load = Double(noise >> 58)
            loop.ingest(status(Int64(tick) * 15, ready: Array(1...level), applied: applied))
            for replica in 1...level {
                loop.ingest(sample(Int64(tick) * 15, replica: replica, running: load, waiting: load / 8))
            }
            let record = loop.tick(at: at(Int64(tick) * 15))
            if let target = record.targets.first { (level, applied) = (target.replicas, target.generation) }
            let line = try writer.line(of: record, by: loop.policy)
            try replay.check(try Self.read(line), text: line)
        }
        #expect(applied > 3)
    }

    /// A line that anyone could write: changed, and signed again.
    private func forged(_ line: String, _ change: (inout JournalRecord) -> Void) throws -> (JournalRecord, String) {
        var record = try Self.read(line)
        change(&record)
        record.hash = ""
        record.hash = try ParameterValue(encoding: record).digest.hexadecimal
        return (record, try ParameterValue(encoding: record).canonicalJSON)
    }

    @Test("A decision that was changed and signed again is told from the one the policy makes")
    func forgery() throws {
        var loop = Self.loop(try PolicyCatalog.policy(named: "hpa", parameters: [:]))
        let text = try Self.journal(&loop, ticks: [(0, 3, 0), (15, 3, 0)])
        let header = try JSONDecoder().decode(JournalHeader.self, from: Data(text[0].utf8))
        func fault(_ change: @escaping (inout JournalRecord) -> Void) throws -> JournalFault? {
            var replay = try JournalReplay(header, text: text[0])
            let (record, line) = try forged(text[1], change)
            do throws(JournalFault) { try replay.check(record, text: line) } catch { return error }
            return nil
        }
        #expect(try fault { _ in } == nil)
        let resize = ScalingDecision(.resize([PoolTarget(pool: chat, replicas: 9, reason: "because")]))
        guard case .differs("decision", _, _) = try fault({ $0.record.decision = resize }) else {
            Issue.record("a forged decision passes")
            return
        }
        guard case .differs("memoryDigest is another", _, _) = try fault({ $0.memoryDigest = "ab" }) else {
            Issue.record("a forged memory passes")
            return
        }
        #expect(try fault { $0.previous = "" } == .outOfChain)
        #expect(try fault { $0.record.observation.pools[0].target = 2_000_000_000_000 } != nil)
        #expect(try fault { $0.record.observation.pools[0].runningSequences = 1e300 } != nil)
        #expect(try fault { $0.record.observation.pools[0].bounds.minimum = 100 } != nil)
        #expect(try fault { $0.record.observation.time = Instant(nanoseconds: .max) } != nil)
    }
}

@Suite("The level that a tick leaves a pool")
struct DesiredLevelTests {
    private let pool = PoolID("chat")

    private func record(wanted: Int?, guarded: Int? = nil) -> ControlRecord {
        let observed = PoolObservation(
            pool: pool, ready: 2, starting: 0, draining: 0, target: 2, bounds: ReplicaBounds(minimum: 1, maximum: 9))
        return ControlRecord(
            sequence: 1, time: .epoch, observation: FleetObservation(time: .epoch, pools: [observed]),
            decision: ScalingDecision(
                wanted.map { .resize([PoolTarget(pool: pool, replicas: $0, reason: "tests")]) } ?? .hold(.onTarget)),
            interventions: guarded.map {
                [GuardIntervention(rule: .bounds, pool: pool, proposed: wanted ?? 2, allowed: $0, reason: "tests")]
            } ?? [], targets: [])
    }

    @Test("What the guards let through of what the policy wants, also where nothing is applied")
    func level() {
        #expect(record(wanted: nil).level(of: pool) == 2)
        #expect(record(wanted: 5).level(of: pool) == 5)
        #expect(record(wanted: 12, guarded: 9).level(of: pool) == 9)
        #expect(record(wanted: 5).level(of: PoolID("other")) == nil)
    }
}
