import Control
import FleetModel
import Scaling
import Synchronization
import Testing
import Units

import struct Simulation.EndedRequest
import struct Simulation.PolicyChoice
import struct Simulation.RunOptions
import struct Simulation.RunResult
import struct Simulation.RunTap
import struct Simulation.Scenario
import enum Simulation.Simulation

@Suite struct RunTapTests {
    /// What a run told.
    private final class Told: Sendable {
        let requests = Mutex<[(pool: PoolID, request: EndedRequest)]>([])
        let ticks = Mutex<[ControlRecord]>([])
        let starts = Mutex(0)

        var tap: RunTap {
            var tap = RunTap()
            tap.start = { [self] _, _ in starts.withLock { $0 += 1 } }
            tap.tick = { [self] record, _ in ticks.withLock { $0.append(record) } }
            tap.requests = { [self] pool, ended in
                requests.withLock { $0 += ended.map { (pool, $0) } }
            }
            return tap
        }
    }

    private func two(_ scenario: Scenario) -> Scenario {
        var scenario = scenario
        var pool = scenario.pools[0]
        var source = scenario.sources[0]
        pool.id = PoolID("south")
        (source.name, source.pool) = ("south", pool.id)
        scenario.pools.append(pool)
        scenario.sources.append(source)
        return scenario
    }

    @Test(arguments: WorldTests.busyScenarios.indices)
    func `every request is told once, in order of ends within its pool, on any number of threads`(index: Int) throws {
        let scenario = two(WorldTests.busyScenarios[index])
        func play(threads: Int) throws -> (Told, RunResult) {
            let told = Told()
            var options = RunOptions(threads: threads)
            options.tap = told.tap
            return (told, try Simulation.run(scenario, policy: Fixture.fixed, options: options))
        }
        let (told, result) = try play(threads: 1)
        let requests = told.requests.withLock { $0 }
        #expect(Int64(requests.count) == result.outcomes.arrived)
        #expect(
            Int64(requests.count { $0.request.outcome == .completed }) == result.outcomes.completed)
        for pool in scenario.pools {
            let ends = requests.filter { $0.pool == pool.id }.map(\.request.ended)
            #expect(!ends.isEmpty && zip(ends, ends.dropFirst()).allSatisfy { $0 <= $1 })
        }
        let sum = requests.reduce(Int128(0)) { $0 + Int128(($1.request.ended - $1.request.arrival.time).nanoseconds) }
        #expect(sum == result.sojournNanoseconds)
        for (_, request) in requests where request.outcome == .completed {
            #expect(request.admitted! >= request.arrival.time && request.firstToken! > request.admitted!)
        }
        #expect(told.starts.withLock { $0 } == 1)
        #expect(Int64(told.ticks.withLock { $0 }.count) == result.scaling.decisions)

        let (parallel, same) = try play(threads: 2)
        #expect(same.fingerprint == result.fingerprint)
        let others = parallel.requests.withLock { $0 }
        #expect(others.map(\.pool) == requests.map(\.pool) && others.map(\.request) == requests.map(\.request))
        #expect(try Simulation.run(scenario, policy: Fixture.fixed).fingerprint == result.fingerprint)
    }

    @Test func `a run keeps so many decisions and counts the rest`() throws {
        var scenario = Fixture.scenario(bounds: ReplicaBounds(minimum: 1, maximum: 6))
        scenario.control.maxStepUp = 1
        let result = try Simulation.run(scenario, policy: Fixture.resized(to: 6))
        #expect(Int64(result.decisions.count) == result.scaling.noted)
        #expect(result.scaling.guarded == Int64(result.decisions.count { $0.wanted != $0.applied }))
        #expect(result.scaling.guarded > 0 && result.scaling.noted > result.scaling.guarded)
    }
}
