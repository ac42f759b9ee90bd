import Control
import FleetModel
import Units

@testable import Simulation

extension PlainPool {
    // MARK: - Machines

    /// The first machine with a free slot.
    mutating func machineWithRoom() -> Int? {
        let open = nodes.indices.filter { node in
            nodes[node] != nil && replicas.count { $0?.node == node } < configuration.replicasPerInstance
        }
        if open.count > 1 { choicesOfMachine += 1 }
        return open.first
    }

    mutating func newMachine(handedOver: Instant) -> Int {
        let node = Node(
            name: "\(id.name)-i\(nodesStarted)", launched: handedOver, periodStart: handedOver,
            tally: UsageTally(tenants: scenario.tenants.count))
        nodesStarted += 1
        if let vacant = nodes.firstIndex(where: { $0 == nil }) {
            nodes[vacant] = node
            return vacant
        }
        nodes.append(node)
        return nodes.count - 1
    }

    /// What a machine did since its charge period began. One that was not handed over has done nothing.
    private mutating func record(node: Int, until now: Instant, isGivenBack: Bool) {
        let used = nodes[node]!
        guard areBooksOpen, isGivenBack ? used.launched <= now : used.launched < now else { return }
        usage.append(
            UsageRecord(
                instance: used.name, pool: id, offering: configuration.offering,
                slots: configuration.replicasPerInstance, launched: used.launched, start: used.periodStart, end: now,
                terminated: isGivenBack, busy: used.tally.busy, idle: used.tally.idle, starting: used.tally.starting,
                draining: used.tally.draining, promptTokens: used.tally.promptTokens,
                outputTokens: used.tally.outputTokens, requests: used.tally.requests))
        nodes[node]!.periodStart = now
        nodes[node]!.tally = UsageTally(tenants: scenario.tenants.count)
    }

    mutating func closeChargePeriod(at now: Instant) {
        for node in nodes.indices where nodes[node] != nil { record(node: node, until: now, isGivenBack: false) }
    }

    // MARK: - Replicas come and go

    mutating func place(_ lifecycle: ReplicaLifecycle, on node: Int, at now: Instant) {
        let engine = PlainEngine(
            limits: configuration.batcher, steps: steps,
            noise: PlainNoise(stream: noise, replica: replicasStarted, deviation: configuration.profile.noise), at: now)
        let replica = Replica(number: replicasStarted, node: node, lifecycle: lifecycle, engine: engine)
        replicasStarted += 1
        if let vacant = replicas.firstIndex(where: { $0 == nil }) {
            replicas[vacant] = replica
        } else {
            replicas.append(replica)
        }
        note(replica.number, .started, at: now)
    }

    /// Brings the level, replicas that neither drain nor are gone, to `level`.
    mutating func resize(to level: Int, at now: Instant) {
        while alive.count(where: { !replicas[$0]!.isDraining }) < level {
            let node = machineWithRoom() ?? newMachine(handedOver: now + configuration.coldStart.provision)
            var coldStart = configuration.coldStart
            // A machine that is there needs no provisioning, and one that is on its way the rest of it.
            coldStart.provision = max(.zero, nodes[node]!.launched - now)
            place(ReplicaLifecycle(coldStart: coldStart, at: now), on: node, at: now)
        }
        while alive.count(where: { !replicas[$0]!.isDraining }) > level {
            let candidates = alive.filter { !replicas[$0]!.isDraining }.map { place in
                let replica = replicas[place]!
                return VictimCandidate(
                    replica: ReplicaID(replica.number), isStarting: replica.isStarting,
                    outstanding: replica.engine.outstanding,
                    neighbours: replicas.count { $0?.node == replica.node } - 1)
            }
            let victim = chooseVictim(among: candidates)!
            let place = alive.first { replicas[$0]!.number == victim.number }!
            tell(.drain(deadline: now + configuration.drainDeadline), to: place, at: now)
        }
    }

    mutating func tell(_ event: ReplicaEvent, to place: Int, at now: Instant) {
        guard let action = replicas[place]!.lifecycle.handle(event, at: now) else { return }
        let number = replicas[place]!.number
        switch action {
        case .beginStage(let stage):
            note(number, .stage(stage), at: now)
        case .serve:
            note(number, .ready, at: now)
            handOverHeld(at: now)
        case .stopRouting:
            note(number, .draining, at: now)
            if replicas[place]!.engine.outstanding == 0 { tell(.emptied, to: place, at: now) }
        case .release:
            note(number, .gone, at: now)
            release(place, at: now)
        }
    }

    /// The replica goes, what it holds is lost, and with the last replica its machine goes.
    private mutating func release(_ place: Int, at now: Instant) {
        replicas[place]!.engine.abandon(at: now)
        takeEnds(ofReplicaAt: place)
        let gone = replicas[place]!
        endedTokens += gone.engine.tokens
        endedSteps += gone.engine.stepCount
        endedPreemptions += gone.engine.preemptions
        endedGaps += gone.engine.gaps.count
        replicas[place] = nil
        if !replicas.contains(where: { $0?.node == gone.node }) {
            record(node: gone.node, until: now, isGivenBack: true)
            nodes[gone.node] = nil
        }
    }

    private mutating func note(_ number: Int, _ change: PoolLog.Change, at now: Instant) {
        phases.append(PoolLog.Phase(time: now, replica: ReplicaID(number), change: change))
    }

    // MARK: - What can be seen

    /// Counters of all replicas that there ever were.
    var tokens: Int64 { alive.reduce(endedTokens) { $0 + replicas[$1]!.engine.tokens } }
    var stepCount: Int64 { alive.reduce(endedSteps) { $0 + replicas[$1]!.engine.stepCount } }
    var preemptions: Int64 { alive.reduce(endedPreemptions) { $0 + replicas[$1]!.engine.preemptions } }
    var gaps: Int { alive.reduce(endedGaps) { $0 + replicas[$1]!.engine.gaps.count } }

    /// The page of a replica's metrics.
    func sample(of place: Int, at now: Instant) -> ReplicaSample {
        let replica = replicas[place]!
        let engine = replica.engine
        return ReplicaSample(
            pool: id, replica: ReplicaID(replica.number), time: now, runningSequences: Double(engine.running.count),
            waitingRequests: Double(engine.waiting.count), kvUtilization: engine.kvUtilization,
            promptTokens: Double(engine.promptTokens), generationTokens: Double(engine.tokens),
            completedRequests: Double(engine.completed), preemptions: Double(engine.preemptions),
            ttft: buckets(of: engine.firstTokens, BucketCounts.ttftBounds),
            itl: buckets(of: engine.gaps, BucketCounts.itlBounds))
    }

    private func buckets(of spans: [TimeSpan], _ bounds: [Double]) -> BucketCounts {
        BucketCounts(
            upperBounds: bounds,
            cumulative: bounds.map { bound in Double(spans.count { $0 <= .estimate(seconds: bound) }) }
                + [Double(spans.count)])
    }

    func gatewaySample(at now: Instant) -> GatewaySample {
        GatewaySample(
            pool: id, time: now, arrivedRequests: Double(records.count),
            arrivedPromptTokens: Double(arrivedPromptTokens), streamedTokens: Double(tokens),
            rejectedRequests: Double(rejectedRequests), heldRequests: Double(held.count))
    }

    mutating func status(at now: Instant) -> PoolStatus {
        let replicas = alive.map { self.replicas[$0]! }
        let starting = replicas.count(where: \.isStarting)
        if starting == 0, replicas.count(where: \.isReady) == target { reachedGeneration = appliedGeneration }
        return PoolStatus(
            pool: id, time: now, readyReplicas: replicas.filter(\.isReady).map { ReplicaID($0.number) },
            starting: starting, draining: replicas.count(where: \.isDraining), appliedGeneration: appliedGeneration,
            reachedGeneration: reachedGeneration, target: target,
            offerings: [
                OfferingObservation(
                    offering: configuration.offering, price: price.rate,
                    replicasPerInstance: configuration.replicasPerInstance, available: true,
                    expectedColdStart: configuration.coldStart.total)
            ])
    }

    /// The row of the timeline that ends now.
    mutating func takeRow(at now: Instant) -> TimelineRow {
        var done = row
        let living = alive.map { replicas[$0]! }
        done.span = now - done.time
        done.starting = living.count(where: \.isStarting)
        done.ready = living.count(where: \.isReady)
        done.draining = living.count(where: \.isDraining)
        done.target = target
        done.queueDepth = living.reduce(held.count) { $0 + $1.engine.waiting.count }
        done.running = living.reduce(0) { $0 + $1.engine.running.count }
        let offered = done.span.seconds * Double(done.ready)
        if done.ready > 0 {
            done.utilization = min(1, (busy - rowBusy).seconds / offered)
            done.kvUtilization =
                living.filter(\.isReady).reduce(0) { $0 + $1.engine.kvUtilization } / Double(done.ready)
        }
        done.outputTokens = tokens - rowTokens
        let paid = nodes.count { $0 != nil && $0!.launched <= now }
        done.costRate.nanodollars = price.rate.nanodollars * Int64(paid)
        row = TimelineRow(time: now, span: done.span, pool: id)
        (rowBusy, rowTokens) = (busy, tokens)
        return done
    }
}
