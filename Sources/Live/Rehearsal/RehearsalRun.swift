import FleetModel
import Formats
import NIOPosix
import Pricing
import Scaling
import Simulation
import Units

/// Plays a scenario's arrivals in real time against a fleet on this machine, and in the simulator.
public struct RehearsalRun: Sendable {
    /// Its duration is that of the rehearsal.
    public var scenario: Scenario
    public var policy: PolicyChoice
    public var options: LocalFleet.Options
    public var meanTolerance = Rehearsal.meanTolerance
    /// Where a row for each request goes; `nil` for nowhere.
    public var requestsPath: String?
    /// Asked while workers start; `false` stops the rehearsal.
    public var goesOn: @Sendable () -> Bool = { true }

    public init(scenario: Scenario, policy: PolicyChoice, options: LocalFleet.Options) {
        self.scenario = scenario
        self.policy = policy
        self.options = options
    }

    /// - Parameters:
    ///   - group: Two threads: one sends the load, one scrapes.
    ///   - onProgress: Called about ten times a second; `false` stops the rehearsal, whose result is then thrown away.
    public func play(
        loadOn loadGroup: MultiThreadedEventLoopGroup, group: MultiThreadedEventLoopGroup,
        onProgress: @escaping @Sendable (LoadRun.Progress) -> Bool
    ) async throws -> Rehearsal {
        let made = try scenario.policy(policy)
        let fleet = LocalFleet(scenario, policy: made, options: options, group: group)
        let live = try await fleet.run { running in
            try await serve(running, loadOn: loadGroup, onProgress: onProgress)
        }
        let simulated = try Simulation.run(scenario, policy: policy)
        let replayed = try Simulation.run(scenario, policy: Self.schedule(live.resizes, tick: scenario.control.tick))
        return Rehearsal(
            live: live, simulated: side(simulated), replayed: side(replayed), tick: scenario.control.tick,
            meanTolerance: meanTolerance)
    }

    /// The live half: the fleet serves the load, and its machines are billed for the scenario's duration.
    private func serve(
        _ running: LocalFleet.Running, loadOn group: MultiThreadedEventLoopGroup,
        onProgress: @escaping @Sendable (LoadRun.Progress) -> Bool
    ) async throws -> RehearsalSide {
        try await running.ready(within: .seconds(120), while: goesOn)
        let traffic = try LoadTraffic(scenario)
        let limits = LoadLimits(
            connections: max(1, DescriptorLimit.raise() - DescriptorLimit.reserve),
            timeouts: traffic.classes.map(\.timeout), drain: .seconds(60))
        var style = RequestStyle(model: "")
        style.asksForPools = true
        var load = LoadRun(
            traffic: traffic, target: try LoadTarget(running.url), style: style, limits: limits)
        load.requestsPath = requestsPath
        let start = running.clock.now + .seconds(1)
        load.startsAt = running.clock.monotonic(start)
        await running.controller.start(at: start)
        for pool in running.pools { await pool.openBooks(at: start) }

        let end = start + scenario.duration
        async let usage = closeBooks(of: running, at: end)
        let loaded = try await load.play(on: group, onProgress: onProgress)
        guard loaded.stoppedAt == nil else { throw CancellationError() }
        let bill = try Bill(
            usage: await usage, book: scenario.priceBook, tenants: scenario.tenants, weights: scenario.allocation)
        let resizes = await running.controller.applied.map {
            RehearsalResize(after: $0.time - start, pool: $0.pool, from: $0.from, to: $0.to)
        }
        var side = RehearsalSide(
            loaded.tally, cost: bill.total, resizes: resizes.filter { $0.after <= scenario.duration })
        for pool in running.pools { side.coldStarts += Self.coldStarts(await pool.log, after: start) }
        return side
    }

    private func closeBooks(of running: LocalFleet.Running, at end: Instant) async -> [UsageRecord] {
        await running.clock.sleep(until: end)
        var usage: [UsageRecord] = []
        for pool in running.pools { usage += await pool.closeBooks(at: end) }
        return usage
    }

    /// How long replicas took that were started after `start`.
    private static func coldStarts(_ log: [LocalPool.PhaseChange], after start: Instant) -> [TimeSpan] {
        var begun: [ReplicaID: Instant] = [:]
        var spans: [TimeSpan] = []
        for change in log where change.time >= start {
            switch change.change {
            case .started: begun[change.replica] = change.time
            case .ready: if let time = begun[change.replica] { spans.append(change.time - time) }
            case .draining, .gone: break
            }
        }
        return spans
    }

    /// A policy that makes the resizes of the live run again.
    private static func schedule(_ resizes: [RehearsalResize], tick: TimeSpan) -> PolicyChoice {
        var steps: [String: [ParameterValue]] = [:]
        for resize in resizes {
            // A schedule counts from its first decision, one tick after the start.
            let after = max(.zero, resize.after - tick)
            steps[resize.pool.name, default: []].append(
                .map(["after": .text("\(after)"), "replicas": .number(Double(resize.to))]))
        }
        return PolicyChoice(
            label: "live resizes", policy: SchedulePolicy.name,
            parameters: ["steps_by_pool": .map(steps.mapValues { .list($0) })])
    }

    private func side(_ result: RunResult) -> RehearsalSide {
        var side = RehearsalSide(result)
        for resize in side.resizes where resize.to > resize.from {
            guard let pool = scenario.pools.first(where: { $0.id == resize.pool }) else { continue }
            side.coldStarts += Array(repeating: pool.coldStart.total, count: resize.to - resize.from)
        }
        return side
    }
}

extension RehearsalSide {
    /// What the load of a live run has to say.
    init(_ tally: LoadTally, cost: USD, resizes: [RehearsalResize]) {
        let refused = tally.errors.filter { $0.key.hasPrefix("http-4") || $0.key == "http-503" }
        let rejected = refused.values.reduce(0, +)
        self.init(
            arrived: tally.offered, completed: tally.completed, rejected: rejected,
            failed: tally.offered - tally.completed - rejected, ttft: tally.ttft, itl: tally.itl, e2e: tally.e2e,
            outputTokens: tally.outputTokens, cost: cost, resizes: resizes, coldStarts: [])
    }
}
