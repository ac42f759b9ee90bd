import FleetModel
import Foundation
import Testing
import Units

@testable import Simulation

/// The world that fast-forwards against one that plays every step: equal to the nanosecond, request by request.
///
/// A thousand small fleets; `TIDEGATE_WORLDS=20000 swift test --filter WorldOracleTests` plays more, and
/// `TIDEGATE_WORLD=17` the one of that seed.
@Suite struct WorldOracleTests {
    private static let environment = ProcessInfo.processInfo.environment
    static let seeds: ClosedRange<UInt64> =
        environment["TIDEGATE_WORLD"].flatMap { UInt64($0) }.map { $0...$0 }
        ?? 1...(environment["TIDEGATE_WORLDS"].flatMap { UInt64($0) } ?? 1000)

    @Test func `the simulated world equals a plain one to the nanosecond`() throws {
        var seen = Seen()
        for seed in Self.seeds {
            let fleet = SmallFleet(seed: seed)
            let plain = try fleet.playPlain()
            seen.count(plain.world)
            guard let difference = try fleet.difference(from: plain) else { continue }
            let smallest = fleet.shrunk { (try? $0.difference()) != nil }
            Issue.record(
                """
                seed \(seed): \(difference)
                smallest: \(try smallest.difference() ?? "nothing")
                \(smallest.text)
                """)
            return
        }
        // The worlds are only worth something while they reach the rare paths.
        if Self.seeds.count >= 1000 { seen.expectRarePaths() }
    }
}

/// How often the worlds went the ways that few go.
private struct Seen {
    var outcomes = OutcomeCounts()
    var preemptions: Int64 = 0
    var timeoutsInQueue = 0
    var timeoutsInBatch = 0
    var timeoutsAtGateway = 0
    var held = 0
    var heldAndServed = 0
    var drains = 0
    var cancelledStarts = 0
    var ups = 0
    var downs = 0
    var machinesGivenBack = 0
    var chargePeriods = 0
    var stops = 0
    var steps: Int64 = 0

    mutating func count(_ world: PlainWorld) {
        for pool in world.pools {
            preemptions += pool.preemptions
            steps += pool.stepCount
            held += pool.everHeld
            for record in pool.records {
                outcomes.arrived += 1
                outcomes.count(record.outcome!)
                guard record.outcome == .failedTimeout else { continue }
                if record.instance == nil {
                    timeoutsAtGateway += 1
                } else if record.admitted == .never {
                    timeoutsInQueue += 1
                } else {
                    timeoutsInBatch += 1
                }
            }
            drains += pool.phases.count { $0.change == .draining }
            let gone = Set(pool.phases.filter { $0.change == .gone }.map(\.replica))
            let begun = Set(pool.phases.filter { $0.change == .started }.map(\.replica))
            let served = Set(pool.phases.filter { $0.change == .ready }.map(\.replica))
            cancelledStarts += gone.intersection(begun).subtracting(served).count
        }
        ups += world.decisions.count { $0.applied > $0.from }
        downs += world.decisions.count { $0.applied < $0.from }
        machinesGivenBack += world.usage.count(where: \.terminated)
        chargePeriods += world.usage.count { !$0.terminated && $0.end < world.horizon }
        if world.stopAfter.map({ world.scaling.decisions == $0 }) == true { stops += 1 }
    }

    func expectRarePaths() {
        print(self)
        #expect(preemptions > 300)
    }
}
