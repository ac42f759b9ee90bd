import FleetModel
import Foundation
import Testing
import Units

@testable import Simulation

/// The world that fast-forwards against one that plays every step: equal to the nanosecond, request by request.
///
/// A thousand small fleets, about half a minute in a debug build; `TIDEGATE_WORLDS=20000 swift test --filter WorldOracleTests` plays more, and
/// `TIDEGATE_WORLD=17` the one of that seed.
@Suite struct WorldOracleTests {
    private static let environment = ProcessInfo.processInfo.environment
    static let seeds: ClosedRange<UInt64> =
        environment["TIDEGATE_WORLD"].flatMap { UInt64($0) }.map { $0...$0 }
        ?? 1...(environment["TIDEGATE_WORLDS"].flatMap { UInt64($0) } ?? 1000)

    @Test func `the simulated world equals a plain one to the nanosecond`() throws {
        var seen = Seen()
        for seed in Self.seeds {
            var fleet = SmallFleet(seed: seed)
            if seed % 2 == 0 { fleet.shareContents() }
            let plain = try fleet.playPlain()
            seen.count(plain.world)
            guard let difference = fleet.difference(from: plain) else { continue }
            let smallest = fleet.shrunk { (try? $0.difference()) != nil }
            Issue.record(
                """
                seed \(seed): \(difference)
                smallest: \(try smallest.difference() ?? "nothing")
                \(smallest.text)
                """)
            return
        }
        if Self.seeds.count >= 1000 { seen.expectEveryWay() }
    }
}

/// How often the worlds went the ways that few go.
private struct Seen {
    var ways: [Way: Int] = [:]

    enum Way: CaseIterable {
        case completed, preempted, timeoutInQueue, timeoutInBatch, held, timeoutAtGateway, unfinished
        case rejectedTooLong, rejectedQueueFull, replicaLost
        case scaledUp, scaledDown, heldByGuard, drained, startCancelled, machineGivenBack, choiceOfMachine,
            chargePeriod, stopped
    }

    mutating func count(_ world: PlainWorld) {
        for pool in world.pools {
            ways[.preempted, default: 0] += Int(pool.preemptions)
            ways[.held, default: 0] += pool.everHeld
            ways[.choiceOfMachine, default: 0] += pool.choicesOfMachine
            for record in pool.records { ways[way(of: record), default: 0] += 1 }
            ways[.drained, default: 0] += pool.phases.count { $0.change == .draining }
            func replicas(_ change: PoolLog.Change) -> Set<ReplicaID> {
                Set(pool.phases.filter { $0.change == change }.map(\.replica))
            }
            ways[.startCancelled, default: 0] +=
                replicas(.started).intersection(replicas(.gone)).subtracting(replicas(.ready)).count
        }
        ways[.scaledUp, default: 0] += world.decisions.count { $0.applied > $0.from }
        ways[.scaledDown, default: 0] += world.decisions.count { $0.applied < $0.from }
        ways[.heldByGuard, default: 0] += world.decisions.count { $0.applied == $0.from }
        ways[.machineGivenBack, default: 0] += world.usage.count(where: \.terminated)
        ways[.chargePeriod, default: 0] += world.usage.count { !$0.terminated && $0.end < world.horizon }
        ways[.stopped, default: 0] += world.horizon < world.scenario.start + world.scenario.duration ? 1 : 0
    }

    private func way(of record: PlainPool.Record) -> Way {
        switch record.outcome! {
        case .completed: .completed
        case .rejectedTooLong: .rejectedTooLong
        case .rejectedQueueFull: .rejectedQueueFull
        case .failedReplicaLost: .replicaLost
        case .unfinished: .unfinished
        case .failedTimeout where record.instance == nil: .timeoutAtGateway
        case .failedTimeout: record.admitted == .never ? .timeoutInQueue : .timeoutInBatch
        }
    }

    /// The worlds are only worth something while they go every way.
    func expectEveryWay() {
        for way in Way.allCases {
            let times = ways[way, default: 0]
            #expect(times >= (way == .choiceOfMachine ? 10 : 50), "\(way) only \(times) times")
        }
    }
}
