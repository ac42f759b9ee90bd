import Control
import FleetModel
import Formats
import NIOPosix
import Reporting
import Scaling
import Simulation
import Units

/// The live controller: observe, decide, guard, journal, act, once a tick, by the loop that the simulator runs.
///
/// It leads while it holds the lease, and acts only on what its journal holds. Whatever fails, capacity stays: a pool that
/// cannot be seen is not scaled in, a decision that cannot be written is not carried out, and workers go on serving when
/// the controller is gone.
public actor Controller {
    let configuration: Configuration
    let clock: LiveClock
    private let actuators: [any PoolActuator]
    private let scraper: MetricsScraper
    private let gateway: GatewayClient
    private let retired: RetiredPools
    private var lease: ControllerLease
    private var journal: JournalAppender?
    private var loop: ControlLoop
    private var watch: FleetWatch
    private var tenants: TenantFile
    /// Whether the caps that an earlier leader left have been looked at.
    private var knowsCaps = false
    private var isFirstTick = true
    private var isPaused = false
    private let pauseFile: PauseFile
    /// Why leadership was lost, until that has been told.
    private var lossReason: String?
    private let started: Instant
    /// Where the grid of scrapes and ticks begins.
    private var gridStart: Instant?
    private var lastTick: Instant?
    private var ticks = 0
    /// By pool, in order: as the actuator told it last, and the routes that the gateway has acknowledged, and when.
    private var known: [ActuatorStatus?]
    private var acknowledged: [(routes: GatewayClient.Routes, at: Instant)?]
    private var outstanding: [[ReplicaID: Int]]
    /// Of the last tick.
    private var observations: [PoolID: PoolObservation] = [:]
    private var desired: [PoolID: Int] = [:]
    private var decisions: [ControlRecord] = []
    private var log = ProblemLog()
    /// Levels that were sent, for who rehearses.
    public private(set) var applied: [AppliedResize] = []

    private static let keptDecisions = 1000

    /// - Parameters:
    ///   - actuators: In the order of `configuration.pools`.
    ///   - retired: Pools that are in the scenario no more. Only a controller that acts touches them.
    ///   - damaged: States in their place that cannot be read.
    ///   - leadership: By a locked file in the controller's folder, without it.
    /// - Throws: `OutputError` when the folder cannot be used.
    public init(
        _ configuration: Configuration, actuators: [any PoolActuator], clock: LiveClock,
        group: MultiThreadedEventLoopGroup, leadership: KubernetesLeadership? = nil, retired: [LocalPool] = [],
        damaged: [LocalPoolStateError] = []
    ) throws {
        precondition(actuators.count == configuration.pools.count, "an actuator for each pool")
        self.configuration = configuration
        self.actuators = actuators
        self.clock = clock
        scraper = MetricsScraper(group: group, tls: configuration.tls)
        gateway = GatewayClient(
            target: configuration.gateway, token: configuration.gatewayToken, group: group,
            tls: configuration.tls)
        self.retired = RetiredPools(retired, damaged: damaged, gateway: gateway)
        if let leadership {
            lease = .cluster(leadership)
        } else {
            lease = .file(
                try LeaderLease(path: "\(configuration.folder)/leader.json", duration: configuration.lease))
        }
        loop = ControlLoop(
            observer: Self.observer(configuration), policy: configuration.policy, limits: configuration.limits)
        watch = FleetWatch(
            configuration.pools.map(\.id), rules: configuration.abuse, limits: configuration.alarms,
            ceiling: configuration.limits.spendingCeiling, stepTimes: configuration.stepTimes)
        tenants = TenantFile(folder: configuration.folder)
        pauseFile = PauseFile(folder: configuration.folder)
        started = clock.now
        known = Array(repeating: nil, count: actuators.count)
        acknowledged = Array(repeating: nil, count: actuators.count)
        outstanding = Array(repeating: [:], count: actuators.count)
    }

    private static func observer(_ configuration: Configuration) -> Observer {
        Observer(
            pools: configuration.pools, window: configuration.control.window,
            staleness: configuration.control.staleness)
    }

    // MARK: - Leading

    /// Runs until the task is cancelled: stands by while another leads, and leads when it can.
    ///
    /// - Throws: What makes leading impossible: a journal that was changed, a pool's state that cannot be understood.
    public func run() async throws {
        defer { lease.release() }
        let leadership = lease
        let renewing = Task { await leadership.run() }
        defer { renewing.cancel() }
        var told: Leadership?
        while !Task.isCancelled {
            if try lease.acquire(), let epoch = lease.epoch {
                told = nil
                try await lead(in: epoch)
            } else if case let standing = Leadership.standsBy(leader: lease.leader), standing != told {
                configuration.onLeadership(standing)
                told = standing
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Leads until leadership is lost.
    private func lead(in epoch: Int) async throws {
        do {
            try await takeOver(in: epoch)
        } catch let loss as LeaderLease.Loss {
            return await standDown("\(loss)")
        } catch ActuationError.fenced(let other) {
            return await standDown("a pool has orders of epoch \(other)")
        }
        configuration.onLeadership(.leads(epoch: epoch))
        if configuration.startsByItself { gridStart = clock.now }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.keepLease() }
            tasks.addTask { await self.keepRoutes(in: epoch) }
            tasks.addTask { await self.keepTicking(in: epoch) }
            await tasks.next()
            tasks.cancelAll()
        }
        guard !Task.isCancelled else { return }
        await standDown("the lease is no longer held")
    }

    /// Reads how the last leader left the journal and the pools, while no later one can take them.
    private func takeOver(in epoch: Int) async throws {
        let opened = try lease.whileLeading(in: epoch) {
            try JournalAppender.open(
                path: "\(configuration.folder)/journal.jsonl", origin: configuration.origin,
                policy: configuration.policy, limits: configuration.limits, observer: Self.observer(configuration),
                isDaily: configuration.hasDailyJournals)
        }
        (journal, loop, isFirstTick, lastTick) = (opened.journal, opened.loop, opened.last != nil, opened.last)
        knowsCaps = false
        recallTenants()
        recallPause()
        if opened.torn > 0 { note("the journal's last line was cut short (\(opened.torn) bytes): nobody acted on it") }
        if let name = opened.putAside { note("the policy or its limits changed: the journal so far is \(name)") }
        for actuator in actuators { try await actuator.begin(epoch: epoch) }
        for text in try await retired.begin(epoch: epoch, isActive: configuration.isActive) { note(text) }
    }

    /// Another may lead: what was known of the pools is what it makes of them from now on.
    private func standDown(_ reason: String) async {
        if lossReason == nil { lose(reason) }
        journal = nil
        for actuator in actuators { await actuator.standDown() }
        await retired.standDown()
        for pool in actuators.indices { (known[pool], acknowledged[pool], outstanding[pool]) = (nil, nil, [:]) }
        configuration.onLeadership(.lost(reason: lossReason ?? reason))
        lossReason = nil
    }

    private var isLeading: Bool { lease.epoch != nil && !Task.isCancelled }

    private func keepLease() async {
        while isLeading {
            do {
                let epoch = lease.epoch
                guard try lease.acquire(), lease.epoch == epoch else { return lose("the lease ran out or was taken") }
            } catch {
                return lose("\(error)")
            }
            try? await Task.sleep(for: .nanoseconds(configuration.lease.nanoseconds / 4))
        }
    }

    /// Stops acting: another may lead.
    private func lose(_ reason: String) {
        lease.release()
        lossReason = lossReason ?? reason
        note("leadership lost: \(reason)")
    }

    // MARK: - Routing

    /// Tells the gateway of replicas as they come and go, and the actuators what it knows of them.
    private func keepRoutes(in epoch: Int) async {
        while isLeading {
            for pool in actuators.indices { await route(pool, in: epoch) }
            await endRetired(in: epoch)
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// - Parameter isFresh: Whether the gateway is asked though nothing has changed.
    private func route(_ pool: Int, in epoch: Int, isFresh: Bool = false) async {
        let now = clock.now
        do {
            known[pool] = try await actuators[pool].status(at: now)
        } catch .fenced(let other) {
            return lose("the pool has orders of epoch \(other)")
        } catch {
            return note("pool '\(configuration.pools[pool].id)' cannot be seen: \(error)")
        }
        guard let status = known[pool] else { return }
        watch.see(status, of: pool, at: now)
        let routes = GatewayClient.Routes(epoch: epoch, status.endpoints)
        if !isFresh, let last = acknowledged[pool], last.routes == routes, now - last.at < .seconds(1) { return }
        do {
            let state = try await gateway.route(routes, of: configuration.pools[pool].id)
            acknowledged[pool] = (routes, now)
            outstanding[pool] = state.outstanding
            let draining = Set(routes.replicas.filter(\.draining).map(\.id))
            await actuators[pool].hear(RoutingReport(outstanding: outstanding[pool], stopped: draining))
        } catch .fenced {
            lose("the gateway has heard from a later leader")
        } catch {
            note("\(error)")
        }
    }

    private func endRetired(in epoch: Int) async {
        guard !isPaused else { return }
        do {
            for text in try await retired.carryOn(epoch: epoch, at: clock.now) { note(text) }
        } catch .fenced(let other) {
            lose("a pool has orders of epoch \(other)")
        } catch {
            note("a pool that is not in the scenario any more cannot be ended: \(error)")
        }
    }

    // MARK: - Ticking

    /// Where the grid of scrapes and ticks begins: both happen at whole multiples of their intervals after it.
    public func start(at instant: Instant) { gridStart = instant }

    /// Whether every pool has as many replicas ready as it should, and the gateway routes to them.
    public var isReady: Bool {
        zip(known, acknowledged).allSatisfy { status, routes in
            guard let status, let routes else { return false }
            return status.pool.starting == 0 && status.pool.readyReplicas.count == status.pool.target
                && routes.routes.replicas.count { !$0.draining } == status.pool.target
        }
    }

    private func keepTicking(in epoch: Int) async {
        while isLeading, gridStart == nil { try? await Task.sleep(for: .milliseconds(2)) }
        guard var scrape = gridStart else { return }
        let control = configuration.control
        var tick = scrape + control.tick
        let hour = TimeSpan.hours(1).nanoseconds
        while isLeading {
            let due = min(scrape, tick)
            await clock.sleep(until: due)
            guard isLeading else { return }
            if scrape <= due {
                await scrapeAll(at: max(scrape, onGrid(scrape)))
                scrape = next(after: scrape, every: control.scrape)
            }
            if tick <= due {
                let before = lastTick
                await self.tick(at: onGrid(tick), in: epoch)
                // Not by the clock: where ticks fail or are late, an hour is still closed once.
                if let before, let last = lastTick, last.nanoseconds / hour != before.nanoseconds / hour {
                    for actuator in actuators { await actuator.closePeriod(at: last) }
                }
                tick = next(after: tick, every: control.tick)
            }
        }
    }

    /// A moment of the grid, or the present when that was missed by far: the machine stood still, or was too busy.
    private func onGrid(_ instant: Instant) -> Instant {
        let now = clock.now
        return now - instant > .seconds(2) ? now : instant
    }

    /// The next moment of the grid that is not over.
    private func next(after instant: Instant, every interval: TimeSpan) -> Instant {
        let missed = max(0, (clock.now - instant).nanoseconds / interval.nanoseconds)
        return instant + interval * max(1, missed)
    }

    private func scrapeAll(at round: Instant) async {
        let control = configuration.control
        let patience = min(.seconds(1), TimeSpan(nanoseconds: control.scrape.nanoseconds / 3))
        let endpoints = zip(configuration.pools, known).flatMap { pool, status in
            (status?.endpoints ?? []).map { (pool: pool.id, endpoint: $0) }
        }
        async let page = gatewayPage()
        for reading in await scraper.scrape(endpoints, at: round, patience: patience) {
            switch reading {
            case .sample(let sample, let busy):
                loop.ingest(sample)
                if let busy, let pool = configuration.pools.firstIndex(where: { $0.id == sample.pool }) {
                    await actuators[pool].hear(busy: busy, of: sample.replica)
                }
            case .failure(let failure, let reason):
                loop.ingest(failure)
                note(reason)
            }
        }
        switch await page {
        case .success(let page):
            for (index, pool) in configuration.pools.enumerated() {
                do {
                    let sample = try GatewaySample(gateway: page, pool: pool.id, time: round)
                    loop.ingest(watch.signal(of: sample, on: page, pool: index, at: round))
                } catch {
                    loop.ingest(ScrapeFailure(pool: pool.id, replica: nil, time: round))
                    note("\(error)")
                }
            }
        case .failure(let reason):
            for pool in configuration.pools { loop.ingest(ScrapeFailure(pool: pool.id, replica: nil, time: round)) }
            note(reason.description)
        }
    }

    private func gatewayPage() async -> Result<MetricsPage, LoadError> {
        do {
            return .success(try MetricsPage(Array(try await gateway.metrics().utf8)))
        } catch {
            return .failure(LoadError("gateway: \(error)"))
        }
    }

    private func tick(at now: Instant, in epoch: Int) async {
        if let lastTick, now <= lastTick {
            // What is lost and started again in one moment must not stop the journal's time.
            guard lastTick - now > configuration.control.tick else { return }
            return note(
                "nothing is decided before \(lastTick), the journal's last tick: this machine's clock is behind it. If the "
                    + "clock was wrong then, move journal.jsonl away and start again")
        }
        for pool in actuators.indices {
            await route(pool, in: epoch, isFresh: true)
            if let status = known[pool] {
                var pool = status.pool
                pool.time = now
                loop.ingest(pool)
            }
        }
        guard isLeading else { return }
        let withheld: Withholding? = !configuration.isActive ? .shadow : isPaused ? .paused : nil
        var next = loop
        let record = next.tick(
            at: now, in: TickContext(epoch: epoch, restarted: isFirstTick, withheld: withheld))
        do {
            try lease.whileLeading(in: epoch) { try journal?.append(record, of: next) }
        } catch let loss as LeaderLease.Loss {
            return lose("\(loss)")
        } catch {
            // What is not written is not done, and the policy has not seen this tick.
            return note("the journal cannot be written, so nothing is done: \(error)")
        }
        (loop, lastTick, isFirstTick) = (next, now, false)
        ticks = record.sequence
        keep(record)
        lookOut(after: record)
        keepTenants(at: now)
        guard withheld == nil else { return }
        for target in record.targets { await apply(target, of: record, in: epoch) }
        for pool in actuators.indices { await carryOn(pool, in: epoch, at: now) }
        await tendCaps(at: now)
    }

    private func apply(_ target: AppliedTarget, of record: ControlRecord, in epoch: Int) async {
        guard let pool = configuration.pools.firstIndex(where: { $0.id == target.pool }) else { return }
        let from = known[pool]?.pool.target ?? 0
        do {
            try await actuators[pool].apply(target, epoch: epoch, at: record.time)
            applied.append(AppliedResize(pool: target.pool, time: record.time, from: from, to: target.replicas))
            await route(pool, in: epoch)
        } catch .fenced(let other) {
            lose("the pool has orders of epoch \(other)")
        } catch {
            note("pool '\(target.pool)' was not resized to \(target.replicas): \(error)")
        }
    }

    private func carryOn(_ pool: Int, in epoch: Int, at now: Instant) async {
        do {
            try await actuators[pool].carryOn(epoch: epoch, at: now)
        } catch {
            note("pool '\(configuration.pools[pool].id)': \(error)")
        }
    }

    private func keep(_ record: ControlRecord) {
        for pool in record.observation.pools {
            observations[pool.pool] = pool
            desired[pool.pool] = record.level(of: pool.pool)
        }
        guard !record.targets.isEmpty || !record.interventions.isEmpty else { return }
        decisions.append(record)
        if decisions.count > Self.keptDecisions { decisions.removeFirst(decisions.count - Self.keptDecisions) }
    }

    // MARK: - Alarms

    /// Sees what is the matter, and notes what is new and what is over.
    private func lookOut(after record: ControlRecord) {
        watch.see(record.observation)
        let costs = known.indices.compactMap(poolStatus).map(\.costPerHour)
        let cost = costs.contains { $0 == nil } ? nil : costs.reduce(USD.zero) { $0 + $1! }
        log.show(watch.alarms(at: record.time, costPerHour: cost), at: clock.now)
    }

    private func recallTenants() {
        guard configuration.abuse != nil else { return }
        do { watch.resume(try tenants.read()) } catch { note("what tenants usually bring is learned anew: \(error)") }
    }

    /// Before the gateway is told of a cap: whoever lifts it must know of the abuse.
    private func keepTenants(at now: Instant) {
        guard configuration.abuse != nil else { return }
        do { try tenants.keep(watch, at: now) } catch { note("what tenants usually bring is not kept: \(error)") }
    }

    /// Has the gateway hold abusers to a rate, and lets go of those who are no more.
    private func tendCaps(at now: Instant) async {
        guard configuration.abuse != nil, !knowsCaps || !watch.abuses.isEmpty || !watch.caps.isEmpty else { return }
        do {
            var known = try await gateway.caps()
            for order in watch.orders(known: known, at: now) {
                try await gateway.set(order.cap, of: order.tenant)
                known[order.tenant] = order.cap.tokensPerMinute == nil ? nil : order.cap
                note(
                    order.cap.tokensPerMinute.map {
                        "tenant '\(order.tenant)' is held to \($0) tokens a minute: \(order.cap.reason)"
                    } ?? "tenant '\(order.tenant)' is no longer held to a rate")
            }
            watch.caps = known.compactMapValues { $0.reason.hasPrefix(FleetWatch.capReason) ? $0.tokensPerMinute : nil }
            knowsCaps = true
        } catch {
            note("caps of tenants: \(error)")
        }
    }

    private func note(_ text: String) { log.note(text, at: clock.now) }

    // MARK: - Operators

    /// Decides and journals, and does nothing, until `resume`, in whichever process it leads then.
    public func pause() {
        isPaused = true
        do { try pauseFile.keep() } catch { note("the pause would end with this process: \(error)") }
    }

    public func resume() {
        isPaused = false
        do { try pauseFile.lift() } catch { note("the next controller would be paused: \(error)") }
    }

    private func recallPause() {
        isPaused = pauseFile.isThere
        if isPaused { note("an operator has paused the controller before: nothing is done until 'resume'") }
    }

    /// Has one replica finish and go; another takes its place.
    public func drain(_ replica: ReplicaID, of pool: PoolID) async throws(ActuationError) {
        guard let index = configuration.pools.firstIndex(where: { $0.id == pool }) else {
            throw .missing("there is no pool '\(pool)'")
        }
        guard let epoch = lease.epoch else { throw .refused("another controller leads") }
        try await actuators[index].drain(replica, epoch: epoch, at: clock.now)
    }

    public var status: ControllerStatus {
        let role: ControllerStatus.Role =
            lease.epoch == nil ? .standby : !configuration.isActive ? .shadow : isPaused ? .paused : .active
        let file = try? PolicyFile(configuration.policy)
        return ControllerStatus(
            version: configuration.version, role: role, epoch: lease.epoch,
            leader: lease.epoch == nil ? lease.leader : nil, started: started, time: clock.now,
            policy: type(of: configuration.policy).name, policyDigest: file?.digest ?? "",
            journal: "\(configuration.folder)/journal.jsonl", ticks: ticks,
            pools: known.indices.compactMap(poolStatus), decisions: decisions.reversed().prefix(100).map { $0 },
            alarms: log.alarms, problems: log.problems.reversed())
    }

    private func poolStatus(_ pool: Int) -> ControllerStatus.Pool? {
        guard let status = known[pool] else { return nil }
        let observation = observations[configuration.pools[pool].id]
        let paid = status.pool.readyReplicas.count + status.pool.starting + status.pool.draining
        return ControllerStatus.Pool(
            status: status.pool, observation: observation,
            desired: desired[configuration.pools[pool].id] ?? status.pool.target,
            replicas: status.endpoints.map { endpoint in
                .init(
                    id: endpoint.id, name: endpoint.name, url: endpoint.url, phase: endpoint.phase.rawValue,
                    outstanding: outstanding[pool][endpoint.id])
            },
            costPerHour: observation?.costPerHour(replicas: paid), problems: status.problems)
    }

    /// The journal's line of a decision, by its number; `nil` when it has none.
    ///
    /// A day's journal is read for it, and no tick waits for that.
    ///
    /// - Throws: `InputError` when the journal cannot be read.
    public nonisolated func decision(_ sequence: Int) throws -> String? {
        try JournalLookup.line(of: sequence, in: "\(configuration.folder)/journal.jsonl")
    }

    /// Somebody was refused: an operator should know.
    func noteRefusal(_ text: String) { note(text) }
}
