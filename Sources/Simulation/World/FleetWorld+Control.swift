import Control
import EngineModel
import FleetModel
import Scaling
import Serving
import Units

extension FleetWorld {
    // MARK: - Observing

    /// Scrapes every ready replica and every gateway. What the loop learns of the fleet passes through here alone.
    mutating func scrape(at now: Instant) {
        for pool in pools.indices {
            pools[pool].synchronise(at: now)
            for position in pools[pool].ready {
                control.ingest(pools[pool].replicas[position]!.sample(of: pools[pool].id, at: now))
            }
            control.ingest(pools[pool].gatewaySample(at: now))
        }
    }

    // MARK: - Deciding

    /// One control tick: what the loop sends is applied, and written down.
    mutating func decide(at now: Instant) {
        for pool in pools.indices { control.ingest(pools[pool].status(at: now)) }
        let record = control.tick(at: now)
        options.tap.tick?(record, control.policy)
        decisions.take(record)
        for target in record.targets { apply(target, at: now) }
    }

    private mutating func apply(_ target: AppliedTarget, at now: Instant) {
        guard let pool = pools.firstIndex(where: { $0.id == target.pool }) else { return }
        pools[pool].target = target.replicas
        pools[pool].appliedGeneration = target.generation
        fingerprint.combine(now.nanoseconds)
        fingerprint.combine(Int64(pool) << 32 | Int64(target.replicas))
        pools[pool].resize(to: target.replicas, at: now)
    }
}

extension SimulatedPool {
    /// Brings the pool to a level: starts replicas, or chooses victims one at a time and lets them drain.
    mutating func resize(to level: Int, at now: Instant) {
        while self.level < level { startReplica(at: now) }
        while self.level > level {
            guard let victim = chooseVictim(among: victimCandidates),
                let position = alive.first(where: { replicas[$0]!.id == victim })
            else { return }
            tell(.drain(deadline: now + configuration.drainDeadline), toReplicaAt: position, now: now)
        }
    }

    /// Brings the counters of every engine, draining ones included, up to their last step boundary.
    mutating func synchronise(at now: Instant) {
        for position in alive { replicas[position]!.engine.synchronise(at: now, gaps: &tally.itl, ended: &ended) }
    }

    func gatewaySample(at time: Instant) -> GatewaySample {
        GatewaySample(
            pool: id, time: time, arrivedRequests: Double(arrivedRequests),
            arrivedPromptTokens: Double(arrivedPromptTokens), streamedTokens: Double(generatedTokens),
            rejectedRequests: Double(rejectedRequests), heldRequests: Double(held.count))
    }

    /// What an actuator knows of its pool without a scrape.
    mutating func status(at time: Instant) -> PoolStatus {
        let counts = phaseCounts
        if counts.starting == 0, counts.ready == target { reachedGeneration = appliedGeneration }
        let offering = OfferingObservation(
            offering: configuration.offering, price: price.rate,
            replicasPerInstance: configuration.replicasPerInstance, available: true,
            expectedColdStart: configuration.coldStart.total)
        return PoolStatus(
            pool: id, time: time, readyReplicas: ready.map { replicas[$0]!.id }, starting: counts.starting,
            draining: counts.draining, appliedGeneration: appliedGeneration, reachedGeneration: reachedGeneration,
            target: target, offerings: [offering])
    }

    /// Replicas that a scale-in may choose from.
    var victimCandidates: [VictimCandidate] {
        alive.compactMap { position in
            let replica = replicas[position]!
            if replica.isDraining { return nil }
            return VictimCandidate(
                replica: replica.id, isStarting: !replica.isReady, outstanding: replica.engine.outstanding,
                neighbours: machines.machines[replica.node]!.replicas - 1)
        }
    }
}
