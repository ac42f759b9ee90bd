import Simulation
import Testing
import Units

struct StoppedRunTests {
    /// The run until the first control tick at or after `end`.
    private func stopped(after end: TimeSpan) throws -> RunResult {
        try Simulation.run(Fixture.scenario(), policy: Fixture.fixed) { $0.simulated < end ? .goOn : .stop }
    }

    @Test func `progress is told at each control tick and grows to the whole of the run`() throws {
        let scenario = Fixture.scenario()
        var told: [RunProgress] = []
        let result = try Simulation.run(scenario, policy: Fixture.fixed) {
            told.append($0)
            return .goOn
        }
        let ticks = scenario.duration.nanoseconds / scenario.control.tick.nanoseconds
        #expect(Int64(told.count) >= ticks - 1)
        #expect(zip(told, told.dropFirst()).allSatisfy { $1.simulated - $0.simulated == scenario.control.tick })
        #expect(zip(told, told.dropFirst()).allSatisfy { $0.requests <= $1.requests })
        #expect(told.last!.requests > 0)
        #expect(result.stoppedAt == nil)
        #expect(result.duration == scenario.duration)
        #expect(try Simulation.run(scenario, policy: Fixture.fixed).fingerprint == result.fingerprint)
    }

    @Test(arguments: [0, 1, 4, 14] as [Int64])
    func `a stopped run is that of traffic which ended then, and its books agree`(minutes: Int64) throws {
        let part = try stopped(after: .minutes(minutes))
        let whole = try Simulation.run(Fixture.scenario(), policy: Fixture.fixed)
        #expect(part.stoppedAt == part.start + part.duration)
        #expect(part.planned == whole.duration)
        #expect(part.duration < whole.duration)
        #expect(part.outcomes.arrived == part.outcomes.sum)
        #expect(part.requestNanoseconds == part.sojournNanoseconds)
        #expect(part.outcomes.arrived < whole.outcomes.arrived)
        #expect(part.timeline.last.map { $0.time + $0.span } == part.stoppedAt)
        #expect(part.usage.map(\.end).max() == part.stoppedAt)
        #expect(part.bill.total < whole.bill.total)
        #expect(part.pools[0].meanReplicas == 3)

        // A scenario of that length, whose control ticks and timeline are the same, does the same.
        var short = Fixture.scenario()
        short.duration = part.duration
        let same = try Simulation.run(short, policy: Fixture.fixed)
        #expect(part.outcomes == same.outcomes)
        #expect(part.bill.total == same.bill.total)
        #expect(part.fingerprint == same.fingerprint)
    }
}
