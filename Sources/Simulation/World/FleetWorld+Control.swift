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
        scaling.decisions += 1
        for target in record.targets { apply(target, of: record, at: now) }
        for intervention in record.interventions
        where !record.targets.contains(where: { $0.pool == intervention.pool }) {
            note(intervention, of: record)
        }
    }

    private mutating func apply(_ target: AppliedTarget, of record: ControlRecord, at now: Instant) {
        guard let pool = pools.firstIndex(where: { $0.id == target.pool }) else { return }
        let from = pools[pool].target
        let guards = record.interventions.filter { $0.pool == target.pool }
        note(
            DecisionEntry(
                time: now, pool: target.pool, from: from, wanted: guards.first?.proposed ?? target.replicas,
                applied: target.replicas, reason: target.reason, guardReasons: guards.map(\.reason),
                rejected: record.decision.rejected.filter { $0.pool == target.pool }), in: pool)
        countChange(from: from, to: target.replicas, in: pool, at: now)
        pools[pool].target = target.replicas
        pools[pool].appliedGeneration = target.generation
        fingerprint.combine(now.nanoseconds)
        fingerprint.combine(Int64(pool) << 32 | Int64(target.replicas))
        pools[pool].resize(to: target.replicas, at: now)
    }

    /// A guard that kept a pool as it is.
    private mutating func note(_ intervention: GuardIntervention, of record: ControlRecord) {
        guard let pool = pools.firstIndex(where: { $0.id == intervention.pool }) else { return }
        // The same refusal tick after tick is one story: it is told once.
        if let last = pools[pool].lastNoted, last == (intervention.proposed, intervention.allowed) { return }
        note(
            DecisionEntry(
                time: record.time, pool: intervention.pool, from: intervention.allowed, wanted: intervention.proposed,
                applied: intervention.allowed, reason: "held by a guard", guardReasons: [intervention.reason],
                rejected: record.decision.rejected.filter { $0.pool == intervention.pool }), in: pool)
    }

    private mutating func note(_ entry: DecisionEntry, in pool: Int) {
        pools[pool].lastNoted = (entry.wanted, entry.applied)
        scaling.noted += 1
        if entry.wanted != entry.applied { scaling.guarded += 1 }
        if decisions.count < RunResult.keptDecisions { decisions.append(entry) }
    }

    private mutating func countChange(from: Int, to level: Int, in pool: Int, at now: Instant) {
        scaling.changes += 1
        let isUp = level > from
        if let last = pools[pool].lastChange, last.up != isUp, now - last.time <= .minutes(30) {
            scaling.reversals += 1
        }
        pools[pool].lastChange = (now, isUp)
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
