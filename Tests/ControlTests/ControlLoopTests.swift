import Control
import FleetModel
import Scaling
import Testing
import Units

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

    @Test("The journal is a chain that breaks where a line is changed, and carries the policy's digests")
    func journal() throws {
        var loop = Self.loop(Scripted(3, 5, 2))
        var lines: [JournalRecord] = []
        for (time, replicas) in [(0, 3), (15, 3), (30, 5)] {
            let record = Self.tick(&loop, Int64(time), replicas: replicas, applied: time == 30 ? 1 : 0)
            lines.append(try loop.journalRecord(of: record, after: lines.last))
        }
        for (index, line) in lines.enumerated() {
            #expect(line.isIntact(after: index == 0 ? nil : lines[index - 1]))
        }
        #expect(Set(lines.map(\.parametersDigest)).count == 1)
        #expect(Set(lines.map(\.memoryDigest)).count == 3)
        let read = try ParameterValue(encoding: lines[1]).decoded(as: JournalRecord.self)
        #expect(read == lines[1] && read.isIntact(after: lines[0]))
        var forged = lines[1]
        forged.record.targets[0].replicas = 50
        #expect(!forged.isIntact(after: lines[0]))
        #expect(!lines[2].isIntact(after: lines[0]))
    }

    @Test("A journal replayed through the same policy gives the same decisions", arguments: ["hpa", "queue-depth"])
    func replay(name: String) throws {
        var loop = Self.loop(try PolicyCatalog.policy(named: name, parameters: [:]))
        var lines: [JournalRecord] = []
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
            lines.append(try loop.journalRecord(of: record, after: lines.last))
        }
        #expect(applied > 3)
        var again = try PolicyCatalog.policy(named: name, parameters: [:])
        for line in lines {
            let read = try ParameterValue(encoding: line).decoded(as: JournalRecord.self)
            #expect(again.decide(read.record.observation) == line.record.decision)
            #expect(try ParameterValue(encoding: again.memory).digest.hexadecimal == line.memoryDigest)
        }
    }
}
