import Control
import EngineModel
import FleetModel
import Serving
import Units

extension FleetWorld {
    // MARK: - Coming

    /// Starts a replica: on a machine of the pool that has room, else on a new one.
    ///
    /// A machine that is there already needs no provisioning; one that is still being provisioned shares what is left.
    mutating func startReplica(in pool: Int, at now: Instant) {
        let node =
            nodeWithRoom(in: pool) ?? addNode(to: pool, handedOver: now + pools[pool].configuration.coldStart.provision)
        var coldStart = pools[pool].configuration.coldStart
        coldStart.provision = max(.zero, pools[pool].nodes[node]!.launched - now)
        place(ReplicaLifecycle(coldStart: coldStart, at: now), on: node, of: pool, at: now)
    }

    /// A replica that is there when the run begins, on a machine that is paid for from then on.
    mutating func placeReadyReplica(in pool: Int, at now: Instant) {
        let node = nodeWithRoom(in: pool) ?? addNode(to: pool, handedOver: now)
        let position = place(ReplicaLifecycle(readyAt: now), on: node, of: pool, at: now)
        pools[pool].ready.append(position)
    }

    @discardableResult
    private mutating func place(_ lifecycle: ReplicaLifecycle, on node: Int, of pool: Int, at now: Instant) -> Int {
        let configuration = pools[pool].configuration
        countReplicas(of: pool, at: now)
        let number = pools[pool].replicasStarted
        pools[pool].replicasStarted += 1
        pools[pool].nodes[node]!.replicas += 1
        let engine = SimulatedEngine(
            configuration: configuration.batcher, steps: pools[pool].steps,
            noise: NoiseSource(stream: pools[pool].noise, replica: number, deviation: configuration.profile.noise),
            at: now)
        let replica = SimulatedReplica(
            id: ReplicaID(number), node: node, lifecycle: lifecycle, engine: engine, at: now)
        let position: Int
        if let vacant = pools[pool].replicas.firstIndex(where: { $0 == nil }) {
            position = vacant
            pools[pool].replicas[position] = replica
        } else {
            position = pools[pool].replicas.count
            pools[pool].replicas.append(replica)
            pools[pool].load.append(RouteCandidate(outstanding: 0, waiting: 0))
            pools[pool].timers.append(addTimer(.replica(pool: pool, position: position), rank: Rank.replica))
        }
        pools[pool].alive.append(position)
        pools[pool].maxReplicas = max(pools[pool].maxReplicas, pools[pool].alive.count)
        notePhase(of: replica.id, in: pool, code: 0, at: now)
        setTimer(pool: pool, position: position)
        return position
    }

    private func nodeWithRoom(in pool: Int) -> Int? {
        let slots = pools[pool].configuration.replicasPerInstance
        return pools[pool].nodes.firstIndex { $0.map { $0.replicas < slots } ?? false }
    }

    private mutating func addNode(to pool: Int, handedOver: Instant) -> Int {
        let name = "\(pools[pool].id.name)-i\(pools[pool].nodesStarted)"
        pools[pool].nodesStarted += 1
        let node = SimulatedNode(name: name, launched: handedOver, tenants: scenario.tenants.count)
        if let vacant = pools[pool].nodes.firstIndex(where: { $0 == nil }) {
            pools[pool].nodes[vacant] = node
            return vacant
        }
        pools[pool].nodes.append(node)
        return pools[pool].nodes.count - 1
    }

    // MARK: - Living

    /// The one timer of a replica: the next thing its engine or its life waits for.
    mutating func setTimer(pool: Int, position: Int) {
        let next = pools[pool].noteLoad(ofReplicaAt: position)
        timers.set(pools[pool].timers[position], to: next)
    }

    mutating func handleReplicaTimer(pool: Int, position: Int, at now: Instant) {
        let node = pools[pool].replicas[position]!.node
        pools[pool].replicas[position]!.engine.handleTimer(at: now, gaps: &tally.itl, ended: &ended)
        takeEnded(from: pool, node: node)
        if pools[pool].replicas[position]!.engine.outstanding == 0, pools[pool].replicas[position]!.isDraining {
            tell(.emptied, toReplicaAt: position, of: pool, at: now)
        }
        if let replica = pools[pool].replicas[position] {
            if let due = replica.lifecycle.nextTimer, due <= now {
                tell(.timer, toReplicaAt: position, of: pool, at: now)
            }
        }
        if pools[pool].replicas[position] != nil { setTimer(pool: pool, position: position) }
    }

    /// Passes an event to a replica's life and does what comes of it.
    mutating func tell(_ event: ReplicaEvent, toReplicaAt position: Int, of pool: Int, at now: Instant) {
        meter(pool: pool, position: position, at: now)
        guard let action = pools[pool].replicas[position]!.lifecycle.handle(event, at: now) else { return }
        let id = pools[pool].replicas[position]!.id
        switch action {
        case .beginStage(let stage):
            notePhase(of: id, in: pool, code: 1 + Int64(stage.rawValue), at: now)
            setTimer(pool: pool, position: position)
        case .serve:
            notePhase(of: id, in: pool, code: 10, at: now)
            pools[pool].admitToReady(position)
            dispatchHeld(of: pool, at: now)
            setTimer(pool: pool, position: position)
        case .stopRouting:
            notePhase(of: id, in: pool, code: 11, at: now)
            pools[pool].ready.removeAll { $0 == position }
            setTimer(pool: pool, position: position)
            if pools[pool].replicas[position]!.engine.outstanding == 0 {
                tell(.emptied, toReplicaAt: position, of: pool, at: now)
            }
        case .release:
            notePhase(of: id, in: pool, code: 12, at: now)
            release(position: position, of: pool, at: now)
        }
    }

    // MARK: - Going

    private mutating func countReplicas(of pool: Int, at now: Instant) {
        if areBooksOpen { pools[pool].countReplicas(at: now) }
    }

    private mutating func release(position: Int, of pool: Int, at now: Instant) {
        let node = pools[pool].replicas[position]!.node
        pools[pool].replicas[position]!.engine.abandon(at: now, ended: &ended)
        takeEnded(from: pool, node: node)
        let engine = pools[pool].replicas[position]!.engine
        pools[pool].retire(engine, at: now)
        countReplicas(of: pool, at: now)
        pools[pool].alive.removeAll { $0 == position }
        pools[pool].ready.removeAll { $0 == position }
        pools[pool].replicas[position] = nil
        timers.set(pools[pool].timers[position], to: .never)
        pools[pool].nodes[node]!.replicas -= 1
        if pools[pool].nodes[node]!.replicas == 0 {
            recordUsage(ofNode: node, in: pool, until: now, isGivenBack: true)
            pools[pool].nodes[node] = nil
        }
    }

    /// Takes in the outcomes that an engine has told.
    mutating func takeEnded(from pool: Int, node: Int) {
        for end in ended { take(end, from: pool, node: node) }
        ended.removeAll(keepingCapacity: true)
    }

    private mutating func notePhase(of replica: ReplicaID, in pool: Int, code: Int64, at now: Instant) {
        tally.fingerprint.combine(now.nanoseconds)
        tally.fingerprint.combine(Int64(pool) << 40 | Int64(replica.number) << 8 | code)
    }
}

extension SimulatedPool {
    /// Reads what the router and the timers need of a replica, after its engine has changed.
    ///
    /// - Returns: When the replica wants to be called next.
    mutating func noteLoad(ofReplicaAt position: Int) -> Instant {
        load[position] = RouteCandidate(
            outstanding: replicas[position]!.engine.outstanding, waiting: replicas[position]!.engine.waiting)
        return min(replicas[position]!.engine.nextEvent, replicas[position]!.lifecycle.nextTimer ?? .never)
    }

    /// Lets the router use a replica. Ready ones are kept in order of their numbers.
    mutating func admitToReady(_ position: Int) {
        let number = replicas[position]!.id
        let index = ready.firstIndex { replicas[$0]!.id > number } ?? ready.count
        ready.insert(position, at: index)
    }

    /// Adds a replica's time up to now to its node.
    mutating func meter(_ position: Int, at now: Instant) {
        let node = replicas[position]!.node
        replicas[position]!.meter(into: &nodes[node]!.tally, at: now)
    }

    /// Keeps the sums of an engine whose replica goes away.
    mutating func retire(_ engine: SimulatedEngine, at now: Instant) {
        let counters = engine.counters
        endedTokens += counters.generatedTokens
        endedSteps += counters.steps
        endedPreemptions += counters.preemptions
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
}
