import Control
import EngineModel
import FleetModel
import Serving
import Units

extension SimulatedPool {
    // MARK: - Coming

    /// Starts a replica: on a machine of the pool that has room, else on a new one.
    ///
    /// A machine that is there already needs no provisioning; one that is still being provisioned shares what is left.
    mutating func startReplica(at now: Instant) {
        let node = machines.place(handedOver: now + configuration.coldStart.provision)
        var coldStart = configuration.coldStart
        coldStart.provision = max(.zero, machines.machines[node]!.launched - now)
        place(ReplicaLifecycle(coldStart: coldStart, at: now), on: node, at: now)
    }

    /// A replica that is there when the run begins, on a machine that is paid for from then on.
    mutating func placeReadyReplica(at now: Instant) {
        let node = machines.place(handedOver: now)
        let position = place(ReplicaLifecycle(readyAt: now), on: node, at: now)
        admitToReady(position)
    }

    @discardableResult
    private mutating func place(_ lifecycle: ReplicaLifecycle, on node: Int, at now: Instant) -> Int {
        countReplicas(at: now)
        let number = replicasStarted
        replicasStarted += 1
        let engine = SimulatedEngine(
            configuration: configuration.batcher, steps: steps,
            noise: NoiseSource(stream: noise, replica: number, deviation: configuration.profile.noise), at: now)
        let replica = SimulatedReplica(
            id: ReplicaID(number), node: node, lifecycle: lifecycle, engine: engine, scrapesKept: scrapesKept, at: now)
        let position: Int
        if let vacant = replicas.firstIndex(where: { $0 == nil }) {
            position = vacant
            replicas[position] = replica
        } else {
            position = replicas.count
            replicas.append(replica)
        }
        alive.append(position)
        notePhase(of: replica.id, as: .started, at: now)
        setTimer(of: position)
        return position
    }

    /// Lets the router use a replica. Ready ones are kept in order of their numbers.
    private mutating func admitToReady(_ position: Int) {
        let number = replicas[position]!.id
        let index = ready.firstIndex { replicas[$0]!.id > number } ?? ready.count
        ready.insert(position, at: index)
        resetRouter()
    }

    private mutating func removeFromReady(_ position: Int) {
        guard let index = ready.firstIndex(of: position) else { return }
        ready.remove(at: index)
        replicas[position]!.route = nil
        resetRouter()
    }

    private mutating func resetRouter() {
        for (index, position) in ready.enumerated() { replicas[position]!.route = index }
        router.reset(to: ready.map { replicas[$0]!.load })
    }

    // MARK: - Living

    /// The one timer of a replica: the next thing its engine or its life waits for. The router hears of its load.
    mutating func setTimer(of position: Int) { setTimer(of: replicas[position]!, at: position) }

    private mutating func setTimer(of replica: SimulatedReplica, at position: Int) {
        timers.set(position, to: replica.nextEvent.nanoseconds)
        if let route = replica.route { router.update(route, to: replica.load) }
    }

    mutating func handleReplicaTimer(at position: Int, now: Instant) {
        let replica = replicas[position]!
        replica.engine.handleTimer(at: now, gaps: &tally.itl, ended: &ended)
        if !ended.isEmpty { takeEnded(node: replica.node) }
        if replica.needsAttention {
            attend(to: position, at: now)
            if replicas[position] == nil { return }
        }
        setTimer(of: replica, at: position)
        if !held.isEmpty { dispatchHeld(at: now) }
    }

    /// Hands a request to a replica.
    mutating func submit(_ request: InFlight, priority: Int, to position: Int, at now: Instant) {
        let replica = replicas[position]!
        replica.engine.submit(request, priority: priority, at: now)
        setTimer(of: replica, at: position)
    }

    /// The replica's life goes on: a drain has finished, or a stage of its start.
    private mutating func attend(to position: Int, at now: Instant) {
        if replicas[position]!.engine.outstanding == 0, replicas[position]!.isDraining {
            tell(.emptied, toReplicaAt: position, now: now)
        }
        if let due = replicas[position]?.lifecycle.nextTimer, due <= now {
            tell(.timer, toReplicaAt: position, now: now)
        }
    }

    /// Passes an event to a replica's life and does what comes of it.
    mutating func tell(_ event: ReplicaEvent, toReplicaAt position: Int, now: Instant) {
        meter(position, at: now)
        countReplicas(at: now)
        guard let action = replicas[position]!.lifecycle.handle(event, at: now) else { return }
        let id = replicas[position]!.id
        switch action {
        case .beginStage(let stage):
            notePhase(of: id, as: .stage(stage), at: now)
            setTimer(of: position)
        case .serve:
            notePhase(of: id, as: .ready, at: now)
            admitToReady(position)
            dispatchHeld(at: now)
            setTimer(of: position)
        case .stopRouting:
            notePhase(of: id, as: .draining, at: now)
            removeFromReady(position)
            setTimer(of: position)
            if replicas[position]!.engine.outstanding == 0 { tell(.emptied, toReplicaAt: position, now: now) }
        case .release:
            notePhase(of: id, as: .gone, at: now)
            release(position, at: now)
        }
    }

    // MARK: - Going

    private mutating func release(_ position: Int, at now: Instant) {
        let node = replicas[position]!.node
        replicas[position]!.engine.abandon(at: now, gaps: &tally.itl, ended: &ended)
        takeEnded(node: node)
        retire(replicas[position]!.engine, at: now)
        alive.removeAll { $0 == position }
        removeFromReady(position)
        replicas[position] = nil
        timers.set(position, to: .max)
        if let record = machines.leave(node, at: now, isOpen: areBooksOpen) { usage.append(record) }
    }

    /// Keeps the sums of an engine whose replica goes away.
    private mutating func retire(_ engine: SimulatedEngine, at now: Instant) {
        let counters = engine.counters
        endedTokens += counters.generatedTokens
        endedSteps += counters.steps
        endedPreemptions += counters.preemptions
        if let cache = engine.prefixCache { endedPrefixCache += cache }
        endedBusy += engine.busy(at: now)
        row.firstTokens += counters.interval.firstTokens
        row.ttftSum += counters.interval.ttftSum
        row.ttftMax = max(row.ttftMax, counters.interval.ttftMax)
        widen(counters.reach)
    }

    mutating func widen(_ other: ValidRange) {
        reach.decodeSequences = max(reach.decodeSequences, other.decodeSequences)
        reach.decodeContext = max(reach.decodeContext, other.decodeContext)
        reach.prefillTokens = max(reach.prefillTokens, other.prefillTokens)
        reach.prefillContext = max(reach.prefillContext, other.prefillContext)
    }

    private mutating func notePhase(of replica: ReplicaID, as change: PoolLog.Change, at now: Instant) {
        log?.phases.append(PoolLog.Phase(time: now, replica: replica, change: change))
        tally.fingerprint.combine(now.nanoseconds)
        tally.fingerprint.combine(Int64(index) << 40 | Int64(replica.number) << 8 | change.code)
    }
}
