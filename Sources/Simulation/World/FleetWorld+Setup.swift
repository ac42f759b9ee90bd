import Control
import FleetModel
import Pricing
import Randomness
import Scaling
import Units
import Workload

extension FleetWorld {
    /// The world as it is when the run begins: the initial replicas ready, all timers set, nothing arrived.
    init(_ scenario: Scenario, policy choice: PolicyChoice, options: RunOptions) throws(SimulationError) {
        var scenario = scenario
        scenario.seed = options.seed ?? scenario.seed
        self.scenario = scenario
        self.options = options
        policyLabel = choice.label
        start = scenario.start
        horizon = scenario.start + scenario.duration
        // Another replication is another seed for everything random; policies that share both face the same traffic.
        let streams = RandomStreams(seed: scenario.seed &+ UInt64(options.replication) &* 0x9E37_79B9_7F4A_7C15)
        traffic = ArrivalStream(
            sources: scenario.sources,
            traces: scenario.tracesToReplay(replication: options.replication, streams: streams),
            streams: streams, start: scenario.start, duration: scenario.duration)
        poolsOfSources = (scenario.sources.map(\.pool) + scenario.traces.map(\.pool)).map { id in
            guard let index = scenario.pools.firstIndex(where: { $0.id == id }) else {
                preconditionFailure("traffic for pool '\(id)', which the scenario does not have")
            }
            return index
        }
        tally = RunTally(tenants: scenario.tenants, sloClasses: scenario.sloClasses, start: scenario.start)
        timelineInterval = Timeline.interval(
            duration: scenario.duration, tick: scenario.control.tick, pools: scenario.pools.count)
        let policy = try Self.policy(for: choice, in: scenario)
        policyFile = try Self.file(of: policy)
        control = Self.controlLoop(policy, in: scenario)
        for configuration in scenario.pools {
            try addPool(configuration, plantFactor: options.plantFactor, streams: streams)
        }
        startTimers()
    }

    private mutating func addPool(
        _ configuration: PoolConfiguration, plantFactor: Double, streams: RandomStreams
    ) throws(SimulationError) {
        guard let price = scenario.priceBook.price(of: configuration.offering) else {
            throw .unknownPrice(pool: configuration.id, configuration.offering)
        }
        let index = pools.count
        var plant = configuration
        let stepTime = options.stepTimes[configuration.id] ?? configuration.profile.stepTime
        plant.profile.stepTime = stepTime.scaled(by: plantFactor)
        let pool = SimulatedPool(
            configuration: plant, price: price,
            noise: CounterStream(seed: streams.seed, names: "step-noise", configuration.id.name),
            heldTimer: addTimer(.held(pool: index), rank: Rank.held), start: start, rowSpan: timelineInterval)
        pools.append(pool)
        for _ in 0..<configuration.initialReplicas { placeReadyReplica(in: index, at: start) }
    }

    private mutating func startTimers() {
        scrape(at: start)
        timers.set(addTimer(.scrape, rank: Rank.scrape), to: start + scenario.control.scrape)
        timers.set(addTimer(.control, rank: Rank.control), to: start + scenario.control.tick)
        timers.set(addTimer(.timeline, rank: Rank.timeline), to: start + timelineInterval)
        // Charge periods end on the hours of the calendar, so that a bill has one row per instance and hour.
        let hour = TimeSpan.hours(1).nanoseconds
        let firstHour = Instant(nanoseconds: (start.nanoseconds / hour + 1) * hour)
        timers.set(addTimer(.chargePeriod, rank: Rank.chargePeriod), to: firstHour < horizon ? firstHour : .never)
        timers.set(addTimer(.closeBooks, rank: Rank.closeBooks), to: horizon)
    }
}

extension Scenario {
    /// The traces of one replication: as they are in the first, resampled in blocks of time in the others.
    func tracesToReplay(replication: Int, streams: RandomStreams) -> [TraceTraffic] {
        guard replication > 0 else { return traces }
        return traces.map { trace in
            trace.resampled(blocks: Self.resampledBlock, generator: streams.generator("trace-blocks", trace.name))
        }
    }

    /// Long enough to keep a burst together, short enough for an hour's trace to have many.
    static let resampledBlock = TimeSpan.minutes(1)
}
