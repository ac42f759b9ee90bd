import FleetModel
import Pricing
import Scaling
import Simulation
import Testing
import Units
import Workload

@Suite struct WorldTests {
    private func run(
        _ scenario: Scenario, _ policy: PolicyChoice = Fixture.fixed, _ options: RunOptions = RunOptions()
    ) throws -> RunResult { try Simulation.run(scenario, policy: policy, options: options) }

    /// Runs that take every way out of the system.
    static let busyScenarios: [Scenario] = [
        Fixture.scenario(),
        Fixture.scenario(rate: .constant(9), replicas: 1, timeout: .seconds(20), noise: 0.2, maxWaiting: 20),
        Fixture.scenario(rate: .constant(9), replicas: 2, bounds: ReplicaBounds(minimum: 0, maximum: 4)),
        Fixture.scenario(
            rate: .constant(2), timeout: .minutes(1),
            prompt: LengthDistribution(.uniform(from: 1, to: 6_000))),
    ]

    @Test(arguments: busyScenarios.indices) func `Little's law holds to the nanosecond and nobody is lost`(index: Int)
        throws
    {
        let result = try run(Self.busyScenarios[index])
        #expect(result.outcomes.arrived > 1_000)
        #expect(result.requestNanoseconds == result.sojournNanoseconds)
        #expect(result.outcomes.sum == result.outcomes.arrived)
        #expect(result.tenants.reduce(0) { $0 + $1.outcomes.arrived } == result.outcomes.arrived)
        for tenant in result.tenants { #expect(tenant.outcomes.sum == tenant.outcomes.arrived) }
        #expect(result.timeline.reduce(0) { $0 + $1.arrived } == result.outcomes.arrived)
    }

    @Test(arguments: busyScenarios.indices) func `usage conserves time and the bill is its lines`(index: Int) throws {
        let result = try run(Self.busyScenarios[index])
        #expect(!result.usage.isEmpty)
        for record in result.usage {
            let known = record.busy + record.idle + record.starting + record.draining
            #expect(known <= (record.end - record.start) * Int64(record.slots))
        }
        #expect(result.usage.reduce(TimeSpan.zero) { $0 + $1.busy } == result.pools[0].busy)
        #expect(result.bill.lines.reduce(USD.zero) { $0 + $1.cost } == result.bill.total)
        #expect(result.bill.split.tenants.reduce(result.bill.overhead, +) == result.bill.total)
        #expect(result.bill.total > .zero)
        #expect(result.bill.overhead < result.bill.total)
    }

    @Test func `the mean of replicas paid for is the time on the bill`() throws {
        // One replica of three waits for a machine for 55 s, which nobody pays for.
        let scenario = Fixture.scenario(replicas: 2, bounds: ReplicaBounds(minimum: 1, maximum: 3))
        let result = try run(scenario, Fixture.resized(to: 3))
        let paid = result.usage.reduce(TimeSpan.zero) { $0 + $1.busy + $1.idle + $1.starting + $1.draining }
        #expect(abs(result.pools[0].meanReplicas - paid.seconds / result.duration.seconds) < 1e-12)
        #expect(result.pools[0].meanReplicas < 3 && result.pools[0].maxReplicas == 3)
    }

    @Test func `the same seed gives the same run and another seed another`() throws {
        let scenario = Fixture.scenario(noise: 0.1)
        let first = try run(scenario)
        let second = try run(scenario)
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.checkpoints == second.checkpoints)
        #expect(first.timeline == second.timeline)
        #expect(first.bill == second.bill)
        #expect(try run(scenario, Fixture.fixed, RunOptions(seed: 12)).fingerprint != first.fingerprint)
        #expect(try run(scenario, Fixture.fixed, RunOptions(replication: 1)).fingerprint != first.fingerprint)
    }

    @Test func `a pool among others does what it does alone, on any number of threads`() throws {
        let names = ["north", "south", "east"]
        let policy = PolicyChoice(label: "hpa", policy: "hpa", parameters: ["target_per_replica": .number(6)])
        func scenario(_ names: [String]) -> Scenario {
            var scenario = Fixture.scenario(
                rate: .steps(every: .minutes(3), values: [3, 9, 1]), replicas: 1,
                bounds: ReplicaBounds(minimum: 1, maximum: 6), timeout: .minutes(1), noise: 0.1)
            let (pool, source) = (scenario.pools[0], scenario.sources[0])
            scenario.pools = names.map { name in
                var copy = pool
                copy.id = PoolID(name)
                return copy
            }
            scenario.sources = names.map { name in
                var copy = source
                (copy.name, copy.pool) = (name, PoolID(name))
                return copy
            }
            return scenario
        }
        let alone = try names.map { try run(scenario([$0]), policy) }
        let together = try run(scenario(names), policy)
        let parallel = try run(scenario(names), policy, RunOptions(threads: 3))
        #expect(parallel.fingerprint == together.fingerprint)
        #expect(parallel.checkpoints == together.checkpoints)
        #expect(parallel.timeline == together.timeline && parallel.bill == together.bill)
        #expect(parallel.decisions == together.decisions)
        #expect(together.pools.map(\.steps) == alone.map { $0.pools[0].steps })
        #expect(together.pools.map(\.maxReplicas) == alone.map { $0.pools[0].maxReplicas })
        #expect(Set(alone.map(\.fingerprint)).count == 3 && together.scaling.changes > 6)
        #expect(together.outcomes.arrived == alone.reduce(0) { $0 + $1.outcomes.arrived })
        #expect(together.ttft.sum == alone.reduce(0) { $0 + $1.ttft.sum })
        for (index, slice) in together.batches.slices.enumerated() {
            #expect(slice.arrived == alone.reduce(0) { $0 + $1.batches.slices[index].arrived })
            #expect(slice.met == alone.reduce(0) { $0 + $1.batches.slices[index].met })
            #expect(slice.ttftNanoseconds == alone.reduce(0) { $0 + $1.batches.slices[index].ttftNanoseconds })
        }
        #expect(together.batches.slices.reduce(0) { $0 + $1.arrived } == together.outcomes.arrived)
        #expect(together.batches.ttft.map(\.count).reduce(0, +) == Int(together.outcomes.completed))
        #expect(together.requestNanoseconds == together.sojournNanoseconds)
        #expect(together.bill.total == alone.reduce(USD.zero) { $0 + $1.bill.total })
    }

    @Test func `policies meet the very same arrivals`() throws {
        let scenario = Fixture.scenario(bounds: ReplicaBounds(minimum: 1, maximum: 6))
        let small = try run(scenario, Fixture.resized(to: 1))
        let large = try run(scenario, Fixture.resized(to: 6))
        #expect(small.fingerprint != large.fingerprint)
        #expect(small.timeline.map(\.arrived) == large.timeline.map(\.arrived))
        #expect(small.timeline.map(\.promptTokensOffered) == large.timeline.map(\.promptTokensOffered))
        #expect(small.timeline.map(\.outputTokensOffered) == large.timeline.map(\.outputTokensOffered))
    }

    @Test func `a new replica serves after exactly the stages of its cold start`() throws {
        var scenario = Fixture.scenario(replicas: 2, bounds: ReplicaBounds(minimum: 1, maximum: 3))
        func firstRow(warmUp: TimeSpan) throws -> Instant? {
            scenario.pools[0].coldStart.warmUp = warmUp
            return try run(scenario, Fixture.resized(to: 3)).timeline.first { $0.ready == 3 }?.time
        }
        // Asked for at the first tick, 15 s in, after 67 s and its warm-up: ready as the row ends that began at 75 s, or
        // a nanosecond too late for it.
        #expect(try firstRow(warmUp: .seconds(8)) == scenario.start + .seconds(75))
        #expect(try firstRow(warmUp: .seconds(8) + TimeSpan(nanoseconds: 1)) == scenario.start + .seconds(90))
        scenario.pools[0].coldStart.warmUp = .seconds(3)
        let result = try run(scenario, Fixture.resized(to: 3))
        // The machine is paid for once it is provisioned.
        let fresh = result.usage.filter { $0.instance == "toy-i1" }
        #expect(fresh.first?.launched == scenario.start + .seconds(55))
        #expect(fresh.reduce(TimeSpan.zero) { $0 + $1.starting } == .seconds(30))
    }

    @Test func `a drained replica finishes what it runs`() throws {
        let scenario = Fixture.scenario(bounds: ReplicaBounds(minimum: 1, maximum: 3))
        let result = try run(scenario, Fixture.resized(to: 2))
        #expect(result.outcomes.completed == result.outcomes.arrived)
        #expect(result.usage.reduce(TimeSpan.zero) { $0 + $1.draining } >= .zero)
        #expect(result.timeline.last?.ready == 2)
    }

    @Test func `a drain's deadline fails what still runs`() throws {
        let long = LengthDistribution.fixed(900)
        let patient = try run(
            Fixture.scenario(bounds: ReplicaBounds(minimum: 1, maximum: 3), output: long), Fixture.resized(to: 2))
        let hasty = try run(
            Fixture.scenario(bounds: ReplicaBounds(minimum: 1, maximum: 3), output: long, drainDeadline: .seconds(1)),
            Fixture.resized(to: 2))
        #expect(patient.outcomes.failedReplicaLost == 0)
        #expect(hasty.outcomes.failedReplicaLost > 0)
        #expect(hasty.outcomes.sum == hasty.outcomes.arrived)
    }

    @Test(arguments: [15, 44]) func `looking at a fleet changes nothing that is counted`(seconds: Int64) throws {
        // Drain deadlines cut long answers short, between two scrapes.
        var scenario = Fixture.scenario(
            rate: .constant(1), bounds: ReplicaBounds(minimum: 1, maximum: 3), output: .fixed(900),
            drainDeadline: .milliseconds(1_234))
        scenario.control.scrape = .seconds(seconds)
        let seldom = try run(scenario, Fixture.resized(to: 1))
        scenario.control.scrape = .milliseconds(100)
        let often = try run(scenario, Fixture.resized(to: 1))
        #expect(seldom.outcomes.failedReplicaLost > 0)
        #expect(often.pools == seldom.pools)
        #expect(often.timeline == seldom.timeline)
        #expect(often.itl.count == seldom.itl.count)
    }

    @Test(arguments: [14, 15, 16]) func `nobody decides once the run is over`(seconds: Int64) throws {
        var scenario = Fixture.scenario(bounds: ReplicaBounds(minimum: 1, maximum: 5))
        scenario.duration = .seconds(seconds)
        let result = try run(scenario, Fixture.resized(to: 5))
        #expect(result.scaling.decisions == (seconds > 15 ? 1 : 0))
        // Of the two that are added one finds a machine with room; the other's is not handed over yet.
        #expect(result.pools[0].maxReplicas == (seconds > 15 ? 4 : 3))
    }

    @Test func `requests wait at the gateway while no replica is ready`() throws {
        var scenario = Fixture.scenario(
            rate: .constant(1), replicas: 0, bounds: ReplicaBounds(minimum: 0, maximum: 2), maxWaiting: 1_000)
        let result = try run(scenario, Fixture.resized(to: 2))
        #expect(result.outcomes.completed == result.outcomes.arrived)
        // The first replica is there 85 s in; who came before waited for it.
        #expect(result.ttft.maximum! > .seconds(60))
        scenario.pools[0].maxWaitingPerReplica = 5
        let strict = try run(scenario, Fixture.resized(to: 2))
        #expect(strict.outcomes.rejectedQueueFull > 20)
        scenario.sloClasses[0].timeout = .seconds(10)
        let hasty = try run(scenario, Fixture.resized(to: 2))
        #expect(hasty.outcomes.failedTimeout >= 5)
        #expect(hasty.outcomes.sum == hasty.outcomes.arrived)
    }

    @Test func `overload is rejected, too long prompts are refused, and clients give up`() throws {
        let overload = try run(Fixture.scenario(rate: .constant(30), replicas: 1, maxWaiting: 8))
        #expect(overload.outcomes.rejectedQueueFull > 1_000)
        let long = try run(Fixture.scenario(prompt: .fixed(4_000)))
        #expect(long.outcomes.rejectedTooLong == long.outcomes.arrived)
        #expect(long.promptTokens == 0)
        let fitting = try run(Fixture.scenario(rate: .constant(0.2), prompt: .fixed(3_999), output: .fixed(500)))
        #expect(fitting.outcomes.completed == fitting.outcomes.arrived)
        #expect(fitting.outputTokens == fitting.outcomes.completed)
        let hasty = try run(Fixture.scenario(rate: .constant(25), replicas: 1, timeout: .seconds(10)))
        #expect(hasty.outcomes.failedTimeout > 1_000)
        #expect(hasty.e2e.maximum! <= .seconds(11))
    }

    @Test func `step noise keeps the mean step and a slower plant does not`() throws {
        func gap(noise: Double, factor: Double) throws -> Double {
            // The same number in every batch, so that noise is all that varies.
            let result = try run(
                Fixture.scenario(rate: .constant(1), replicas: 1, output: .fixed(400), noise: noise), Fixture.fixed,
                RunOptions(plantFactor: factor))
            return result.pools[0].busy.seconds / Double(result.pools[0].steps!)
        }
        let plain = try gap(noise: 0, factor: 1)
        #expect(abs(try gap(noise: 0.1, factor: 1) / plain - 1) < 0.02)
        let slow = try gap(noise: 0, factor: 1.15) / plain
        #expect((1.13...1.20).contains(slow))
    }

    @Test func `a doubled price doubles every line and changes nothing else`() throws {
        let once = try run(Fixture.scenario(pricePerHour: 7_200_000_000))
        let twice = try run(Fixture.scenario(pricePerHour: 14_400_000_000))
        #expect(once.usage == twice.usage)
        #expect(once.bill.lines.map { $0.cost + $0.cost } == twice.bill.lines.map(\.cost))
        #expect(once.bill.total + once.bill.total == twice.bill.total)
    }

    @Test func `a loop that looks once in years sees nothing and breaks nothing`() throws {
        var scenario = Fixture.scenario()
        scenario.control = ControlConfiguration(
            tick: .hours(87_600), scrape: .hours(87_600), window: .hours(87_600), staleness: .hours(87_600))
        let result = try run(scenario)
        #expect(result.outcomes.completed == result.outcomes.arrived && result.outcomes.arrived > 3000)
        // One row, and another for what runs on after the traffic has ended.
        #expect((1...2).contains(result.timeline.count) && result.scaling.decisions <= 1)
    }

    @Test func `an unknown price is an error and never zero`() {
        var scenario = Fixture.scenario()
        scenario.priceBook.prices = []
        #expect(throws: SimulationError.unknownPrice(pool: PoolID("toy"), Fixture.offering)) { try run(scenario) }
    }
}
