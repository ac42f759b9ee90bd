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
        timelineInterval = Timeline.interval(
            duration: scenario.duration, tick: scenario.control.tick, pools: scenario.pools.count)
        let policy: any ScalingPolicy
        do {
            policy = try scenario.policy(choice)
        } catch {
            throw .policy(error)
        }
        do {
            policyFile = try PolicyFile(policy)
        } catch {
            throw .policy(
                PolicyErrors(problems: [.unreadable("parameters", policy: choice.policy, detail: "\(error)")]))
        }
        control = scenario.controlLoop(policy)
        let traces = scenario.tracesToReplay(replication: options.replication, streams: streams)
        for configuration in scenario.pools { try addPool(configuration, traces: traces, streams: streams) }
        for name in (scenario.sources.map(\.pool) + traces.map(\.pool)) {
            precondition(pools.contains { $0.id == name }, "traffic for pool '\(name)', which is not in the scenario")
        }
        if options.tap.requests != nil {
            for index in pools.indices { pools[index].isHeard = true }
        }
        startAgenda()
    }

    private mutating func addPool(
        _ configuration: PoolConfiguration, traces: [TraceTraffic], streams: RandomStreams
    ) throws(SimulationError) {
        guard let price = scenario.priceBook.price(of: configuration.offering) else {
            throw .unknownPrice(pool: configuration.id, configuration.offering)
        }
        var plant = configuration
        let stepTime = options.stepTimes[configuration.id] ?? configuration.profile.stepTime
        plant.profile.stepTime = stepTime.scaled(by: options.plantFactor)
        let traffic = ArrivalStream(
            sources: scenario.sources.filter { $0.pool == configuration.id },
            traces: traces.filter { $0.pool == configuration.id },
            streams: streams, start: scenario.start, duration: scenario.duration)
        pools.append(
            SimulatedPool(
                index: pools.count, configuration: plant, price: price, scenario: scenario, traffic: traffic,
                noise: CounterStream(seed: streams.seed, names: "step-noise", configuration.id.name),
                rowSpan: timelineInterval))
    }

    private mutating func startAgenda() {
        scrape(at: start)
        postpone(.scrape, to: start + scenario.control.scrape)
        postpone(.control, to: start + scenario.control.tick)
        postpone(.timeline, to: start + timelineInterval)
        // Charge periods end on the hours of the calendar, so that a bill has one row per instance and hour.
        let hour = TimeSpan.hours(1).nanoseconds
        postpone(.chargePeriod, to: Instant(nanoseconds: (start.nanoseconds / hour + 1) * hour))
        agenda[Occasion.closeBooks.rawValue] = horizon
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
