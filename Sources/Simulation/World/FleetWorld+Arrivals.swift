import FleetModel
import Serving
import Units
import Workload

extension FleetWorld {
    /// A client sends a request: it is refused, held at the gateway, or handed to a replica.
    mutating func receive(_ routed: RoutedArrival) {
        var arrival = routed.arrival
        let pool = poolsOfSources[routed.source]
        let limits = pools[pool].configuration.batcher
        tally.arrive(arrival)
        pools[pool].arrivedRequests += 1
        pools[pool].arrivedPromptTokens += Int64(arrival.promptTokens)
        pools[pool].row.arrived += 1
        pools[pool].row.promptTokensOffered += Int64(arrival.promptTokens)
        pools[pool].row.outputTokensOffered += Int64(arrival.outputTokens)
        guard Int(arrival.promptTokens) < limits.maxContext else {
            reject(arrival, from: pool, as: .rejectedTooLong)
            return
        }
        // The engine stops at its longest context, whatever the model had left to say.
        arrival.outputTokens = min(arrival.outputTokens, Int32(limits.maxContext) - arrival.promptTokens)
        let timeout = scenario.sloClasses[Int(arrival.sloClass)].timeout
        let request = InFlight(arrival: arrival, deadline: timeout.map { arrival.time + $0 } ?? .never)
        if pools[pool].ready.isEmpty {
            hold(request, at: pool)
        } else if !dispatch(request, to: pool, at: arrival.time) {
            reject(arrival, from: pool, as: .rejectedQueueFull)
        }
    }

    /// Hands a request to the replica that the router chooses.
    ///
    /// - Returns: Whether a replica took it.
    mutating func dispatch(_ request: InFlight, to pool: Int, at now: Instant) -> Bool {
        let chosen = pools[pool].chooseReplica()
        guard let chosen else { return false }
        let priority = scenario.sloClasses[Int(request.arrival.sloClass)].priority
        pools[pool].replicas[chosen]!.engine.submit(request, priority: priority, at: now)
        setTimer(pool: pool, position: chosen)
        return true
    }

    /// Takes requests that waited for a replica to the ones there are now.
    mutating func dispatchHeld(of pool: Int, at now: Instant) {
        while let request = pools[pool].held.first, dispatch(request, to: pool, at: now) {
            pools[pool].held.removeFirst()
        }
        setHeldTimer(of: pool)
    }

    /// Clients at the gateway give up.
    mutating func expireHeld(of pool: Int, at now: Instant) {
        var index = 0
        while index < pools[pool].held.count {
            if pools[pool].held[index].deadline <= now {
                let request = pools[pool].held.remove(at: index)
                take(Ended(request: request, outcome: .failedTimeout, time: now), from: pool, node: nil)
            } else {
                index += 1
            }
        }
        setHeldTimer(of: pool)
    }

    private mutating func hold(_ request: InFlight, at pool: Int) {
        guard pools[pool].held.count < pools[pool].configuration.maxWaitingPerReplica else {
            reject(request.arrival, from: pool, as: .rejectedQueueFull)
            return
        }
        pools[pool].held.append(request)
        setHeldTimer(of: pool)
    }

    private mutating func setHeldTimer(of pool: Int) {
        let earliest = pools[pool].held.reduce(Instant.never) { min($0, $1.deadline) }
        timers.set(pools[pool].heldTimer, to: earliest)
    }

    private mutating func reject(_ arrival: Arrival, from pool: Int, as outcome: RequestOutcome) {
        pools[pool].rejectedRequests += 1
        let request = InFlight(arrival: arrival, deadline: .never)
        take(Ended(request: request, outcome: outcome, time: arrival.time), from: pool, node: nil)
    }

    /// Takes in an outcome: the run's sums, the timeline's, and those of the node that did the work.
    mutating func take(_ end: Ended, from pool: Int, node: Int?) {
        let isMet = tally.end(end)
        guard areBooksOpen else { return }
        pools[pool].row.count(end.outcome, isMet: isMet)
        guard let node else { return }
        let tenant = Int(end.request.arrival.tenant)
        pools[pool].nodes[node]!.tally.requests[tenant] += 1
        guard end.outcome == .completed else { return }
        pools[pool].nodes[node]!.tally.promptTokens[tenant] += Int64(end.request.arrival.promptTokens)
        pools[pool].nodes[node]!.tally.outputTokens[tenant] += Int64(end.request.arrival.outputTokens)
    }
}

extension SimulatedPool {
    /// The position of the replica that takes the next request; `nil` when all queues are full.
    mutating func chooseReplica() -> Int? {
        let (ready, load) = (ready, load)
        return router.route(count: ready.count) { load[ready[$0]] }.map { ready[$0] }
    }
}

extension TimelineRow {
    mutating func count(_ outcome: RequestOutcome, isMet: Bool) {
        ended += 1
        if isMet { met += 1 }
        switch outcome {
        case .completed: completed += 1
        case .rejectedQueueFull, .rejectedTooLong: rejected += 1
        case .failedTimeout, .failedReplicaLost: failed += 1
        case .unfinished: break
        }
    }
}
