import Control
import EngineModel
import FleetModel
import Pricing
import Randomness
import Serving
import Units
import Workload

@testable import Simulation

/// One pool of the plain world: gateway, router, replicas and machines, from the rules alone.
///
/// It keeps every request with what became of it, looks at every replica whenever it wants to know anything, and adds up
/// time as it passes.
struct PlainPool {
    struct Replica {
        let number: Int
        /// Index of the machine it stands on.
        let node: Int
        var lifecycle: ReplicaLifecycle
        var engine: PlainEngine

        var nextTime: Instant { min(engine.nextTime, lifecycle.nextTimer ?? .never) }
        var isStarting: Bool { if case .starting = lifecycle.phase { true } else { false } }
        var isReady: Bool { if case .ready = lifecycle.phase { true } else { false } }
        var isDraining: Bool { if case .draining = lifecycle.phase { true } else { false } }
        /// Whether its machine has been handed over.
        var isPaid: Bool { if case .starting(.provision, _) = lifecycle.phase { false } else { true } }
    }

    struct Node {
        var name: String
        var launched: Instant
        /// Of the charge period under way: when it began, and what happened in it.
        var periodStart: Instant
        var tally: UsageTally
    }

    /// A request with what became of it.
    struct Record {
        var arrival: Arrival
        var outcome: RequestOutcome?
        var admitted = Instant.never
        var firstToken = Instant.never
        var end = Instant.never
        /// The machine that had it; `nil` when none did.
        var instance: String?
    }

    let index: Int
    let configuration: PoolConfiguration
    let scenario: Scenario
    let price: Price
    let steps: StepClock
    let noise: CounterStream
    var traffic: ArrivalStream
    var nextArrival: Arrival?

    /// Places of replicas and of machines: one that goes leaves its place to the next that comes.
    var replicas: [Replica?] = []
    var nodes: [Node?] = []
    var replicasStarted = 0
    var nodesStarted = 0
    var target: Int
    var appliedGeneration = 0
    var reachedGeneration = 0
    /// Round robin: whose turn it is among the ready replicas.
    var turn = 0

    /// By number of arrival; and those that wait at the gateway.
    var records: [Record] = []
    var held: [Int] = []
    /// How many were ever held; and how often a replica could have been placed on one machine or another.
    var everHeld = 0
    var choicesOfMachine = 0
    var phases: [PoolLog.Phase] = []
    var usage: [UsageRecord] = []

    // What the gateway counts, and what replicas that are gone had counted.
    var arrivedPromptTokens: Int64 = 0
    var rejectedRequests: Int64 = 0
    var endedTokens: Int64 = 0
    var endedSteps: Int64 = 0
    var endedPreemptions: Int64 = 0
    var endedGaps = 0

    // Up to the end of the bill.
    var areBooksOpen = true
    var replicaNanoseconds: Int128 = 0
    var maxReplicas = 0
    var busy = TimeSpan.zero
    var row: TimelineRow
    var rowBusy = TimeSpan.zero
    var rowTokens: Int64 = 0

    init(index: Int, plant: PoolConfiguration, scenario: Scenario, streams: RandomStreams, rowSpan: TimeSpan) {
        self.index = index
        self.scenario = scenario
        configuration = plant
        price = scenario.priceBook.price(of: plant.offering)!
        steps = StepClock(plant.profile.stepTime)
        noise = CounterStream(seed: streams.seed, names: "step-noise", plant.id.name)
        traffic = ArrivalStream(
            sources: scenario.sources.filter { $0.pool == plant.id },
            traces: scenario.traces.filter { $0.pool == plant.id }, streams: streams, start: scenario.start,
            duration: scenario.duration)
        target = plant.initialReplicas
        row = TimelineRow(time: scenario.start, span: rowSpan, pool: plant.id)
        nextArrival = traffic.next()?.arrival
        for _ in 0..<plant.initialReplicas {
            let node = machineWithRoom() ?? newMachine(handedOver: scenario.start)
            place(ReplicaLifecycle(readyAt: scenario.start), on: node, at: scenario.start)
        }
        phases = []
    }

    var id: PoolID { configuration.id }

    /// Places of living replicas, in order of their numbers; and of those that take requests.
    var alive: [Int] {
        replicas.indices.filter { replicas[$0] != nil }.sorted { replicas[$0]!.number < replicas[$1]!.number }
    }
    var ready: [Int] { alive.filter { replicas[$0]!.isReady } }

    // MARK: - Time

    /// When something happens next.
    var nextTime: Instant {
        let engines = replicas.map { $0?.nextTime ?? .never }
        let clients = held.map { deadline(of: records[$0].arrival) }
        return ([nextArrival?.time ?? .never] + engines + clients).min()!
    }

    /// Nothing happens for so long: replicas are paid for once their machine is there, and those in a step are busy.
    mutating func pass(_ span: TimeSpan) {
        guard areBooksOpen, span > .zero else { return }
        let paid = replicas.count { $0?.isPaid ?? false }
        replicaNanoseconds += Int128(span.nanoseconds) * Int128(paid)
        maxReplicas = max(maxReplicas, paid)
        for replica in replicas {
            guard let replica else { continue }
            let isBusy = replica.engine.step != nil
            if isBusy { busy += span }
            switch replica.lifecycle.phase {
            case .starting(.provision, _), .terminated: break  // No machine, no charge.
            case .starting: nodes[replica.node]!.tally.starting += span
            case .ready where isBusy, .draining where isBusy: nodes[replica.node]!.tally.busy += span
            case .ready: nodes[replica.node]!.tally.idle += span
            case .draining: nodes[replica.node]!.tally.draining += span
            }
        }
    }

    /// Does the first thing that is due: an arrival, else the replica in the first place, else a client at the gateway.
    ///
    /// - Returns: Whether there was one.
    mutating func playOne(at now: Instant) -> Bool {
        if let arrival = nextArrival, arrival.time == now {
            receive(arrival)
            nextArrival = traffic.next()?.arrival
            return true
        }
        for place in replicas.indices {
            if let replica = replicas[place], replica.nextTime <= now {
                play(replicaAt: place, at: now)
                return true
            }
        }
        if let id = held.first(where: { deadline(of: records[$0].arrival) <= now }) {
            held.removeAll { $0 == id }
            end(id, .failedTimeout, at: now)
            return true
        }
        return false
    }

    private mutating func play(replicaAt place: Int, at now: Instant) {
        replicas[place]!.engine.play(at: now)
        takeEnds(ofReplicaAt: place)
        if replicas[place]!.isDraining, replicas[place]!.engine.outstanding == 0 { tell(.emptied, to: place, at: now) }
        if let timer = replicas[place]?.lifecycle.nextTimer, timer <= now { tell(.timer, to: place, at: now) }
        handOverHeld(at: now)
    }

    /// Those who wait at the gateway go to a replica as soon as one has room, in order of their arrival.
    mutating func handOverHeld(at now: Instant) {
        while let first = held.first, route(first, at: now) { held.removeFirst() }
    }

    // MARK: - Gateway

    private mutating func receive(_ sent: Arrival) {
        let id = records.count
        var arrival = sent
        records.append(Record(arrival: arrival))
        arrivedPromptTokens += Int64(arrival.promptTokens)
        row.arrived += 1
        row.promptTokensOffered += Int64(arrival.promptTokens)
        row.outputTokensOffered? += Int64(arrival.outputTokens)
        let longest = Int32(configuration.batcher.maxContext)
        if arrival.promptTokens >= longest {
            rejectedRequests += 1
            return end(id, .rejectedTooLong, at: arrival.time)
        }
        // The engine stops at its longest context.
        arrival.outputTokens = min(arrival.outputTokens, longest - arrival.promptTokens)
        records[id].arrival = arrival
        let mustWait = ready.isEmpty || !held.isEmpty
        if mustWait, held.count < configuration.maxWaitingPerReplica {
            held.append(id)
            everHeld += 1
        } else if mustWait || !route(id, at: arrival.time) {
            rejectedRequests += 1
            end(id, .rejectedQueueFull, at: arrival.time)
        }
    }

    private func deadline(of arrival: Arrival) -> Instant {
        scenario.sloClasses[Int(arrival.sloClass)].timeout.map { arrival.time + $0 } ?? .never
    }

    /// Hands a request to a ready replica whose queue is not full.
    mutating func route(_ id: Int, at now: Instant) -> Bool {
        let ready = ready
        func isOpen(_ place: Int) -> Bool {
            replicas[place]!.engine.waiting.count < configuration.maxWaitingPerReplica
        }
        guard ready.contains(where: isOpen) else { return false }
        var chosen: Int
        switch configuration.router {
        case .roundRobin:
            // The next in order, wherever those before it have gone.
            turn %= ready.count
            while !isOpen(ready[turn]) { turn = (turn + 1) % ready.count }
            chosen = ready[turn]
            turn = (turn + 1) % ready.count
        case .leastOutstanding:
            chosen = ready.first(where: isOpen)!
            for place in ready where isOpen(place) {
                if replicas[place]!.engine.outstanding < replicas[chosen]!.engine.outstanding { chosen = place }
            }
        }
        let arrival = records[id].arrival
        replicas[chosen]!.engine.submit(
            id,
            SmallWorld.Request(
                time: arrival.time, prompt: Int(arrival.promptTokens), output: Int(arrival.outputTokens),
                priority: scenario.sloClasses[Int(arrival.sloClass)].priority, deadline: deadline(of: arrival),
                content: arrival.content),
            at: now)
        return true
    }

    // MARK: - Outcomes

    mutating func takeEnds(ofReplicaAt place: Int) {
        let replica = replicas[place]!
        replicas[place]!.engine.ends = []
        replicas[place]!.engine.firstTokensInRow = []
        for span in replica.engine.firstTokensInRow {
            row.firstTokens += 1
            row.ttftSum += span
            row.ttftMax = max(row.ttftMax, span)
        }
        for told in replica.engine.ends {
            records[told.id].admitted = told.admitted
            records[told.id].firstToken = told.firstToken
            records[told.id].instance = nodes[replica.node]!.name
            end(told.id, told.outcome, at: told.time)
            let arrival = records[told.id].arrival
            let tenant = Int(arrival.tenant)
            nodes[replica.node]!.tally.requests[tenant] += 1
            guard told.outcome == .completed else { continue }
            nodes[replica.node]!.tally.promptTokens[tenant] += Int64(arrival.promptTokens)
            nodes[replica.node]!.tally.outputTokens[tenant] += Int64(arrival.outputTokens)
        }
    }

    private mutating func end(_ id: Int, _ outcome: RequestOutcome, at now: Instant) {
        precondition(records[id].outcome == nil, "request \(id) ended twice")
        records[id].outcome = outcome
        records[id].end = now
        row.ended += 1
        if isMet(records[id]) { row.met += 1 }
        switch outcome {
        case .completed: row.completed += 1
        case .rejectedQueueFull, .rejectedTooLong: row.rejected? += 1
        case .failedTimeout, .failedReplicaLost: row.failed += 1
        case .unfinished: break
        }
    }

    /// Whether a request completed within every promise of its class.
    func isMet(_ record: Record) -> Bool {
        guard record.outcome == .completed else { return false }
        let promise = scenario.sloClasses[Int(record.arrival.sloClass)]
        if let ttft = promise.ttft, record.firstToken - record.arrival.time > ttft { return false }
        if let e2e = promise.e2e, record.end - record.arrival.time > e2e { return false }
        let gaps = Int64(record.arrival.outputTokens) - 1
        if let tpot = promise.tpot, gaps > 0 {
            return (record.end - record.firstToken).nanoseconds / gaps <= tpot.nanoseconds
        }
        return true
    }

    /// The run is over: what no replica ever came for is unfinished, at the end of traffic or of what was in flight.
    mutating func giveUpHeld(at horizon: Instant) {
        let last = records.reduce(horizon) { max($0, $1.arrival.time, $1.outcome == nil ? horizon : $1.end) }
        for id in held { end(id, .unfinished, at: last) }
        held = []
    }
}
