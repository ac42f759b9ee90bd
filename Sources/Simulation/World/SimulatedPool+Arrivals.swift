import Collections
import FleetModel
import Serving
import Units
import Workload

extension SimulatedPool {
    /// A client sends a request: it is refused, held at the gateway, or handed to a replica.
    mutating func receive(_ sent: Arrival) {
        var arrival = sent
        tally.arrive(arrival)
        arrivedRequests += 1
        arrivedPromptTokens += Int64(arrival.promptTokens)
        row.arrived += 1
        row.promptTokensOffered += Int64(arrival.promptTokens)
        row.outputTokensOffered? += Int64(arrival.outputTokens)
        let maxContext = configuration.batcher.maxContext
        guard Int(arrival.promptTokens) < maxContext else {
            reject(arrival, as: .rejectedTooLong)
            return
        }
        // The engine stops at its longest context, whatever the model had left to say.
        arrival.outputTokens = min(arrival.outputTokens, Int32(maxContext) - arrival.promptTokens)
        let request = InFlight(arrival: arrival, deadline: deadline(of: arrival))
        // Nobody passes those who wait already.
        if ready.isEmpty || !held.isEmpty {
            hold(request)
        } else if !dispatch(request, at: arrival.time) {
            reject(arrival, as: .rejectedQueueFull)
        }
    }

    private func deadline(of arrival: Arrival) -> Instant {
        timeouts[Int(arrival.sloClass)].map { arrival.time + $0 } ?? .never
    }

    /// Hands a request to the replica that the router chooses.
    ///
    /// - Returns: Whether a replica took it.
    mutating func dispatch(_ request: InFlight, at now: Instant) -> Bool {
        guard let chosen = router.route() else { return false }
        let priority = priorities[Int(request.arrival.sloClass)]
        submit(request, priority: priority, to: ready[chosen], at: now)
        return true
    }

    /// Takes requests that wait at the gateway to replicas, as long as one has room.
    mutating func dispatchHeld(at now: Instant) {
        let before = held.count
        while let request = held.first, dispatch(request, at: now) { held.removeFirst() }
        if held.count < before { setHeldDeadline() }
    }

    /// Clients at the gateway give up.
    mutating func expireHeld(at now: Instant) {
        var waiting = Deque<InFlight>()
        for request in held {
            if request.deadline <= now {
                take(Ended(request: request, outcome: .failedTimeout, time: now), node: nil)
            } else {
                waiting.append(request)
            }
        }
        held = waiting
        setHeldDeadline()
    }

    /// The run is over: requests that no replica ever came for are told as unfinished.
    ///
    /// - Parameter horizon: The end of traffic. What ended later moves the moment on.
    mutating func giveUpHeld(at horizon: Instant) {
        let now = max(horizon, tally.lastChange)
        while let request = held.popFirst() {
            take(Ended(request: request, outcome: .unfinished, time: now), node: nil)
        }
        heldDeadline = .never
    }

    private mutating func hold(_ request: InFlight) {
        guard held.count < configuration.maxWaitingPerReplica else {
            reject(request.arrival, as: .rejectedQueueFull)
            return
        }
        held.append(request)
        heldDeadline = min(heldDeadline, request.deadline)
    }

    private mutating func setHeldDeadline() {
        heldDeadline = held.reduce(.never) { min($0, $1.deadline) }
    }

    private mutating func reject(_ arrival: Arrival, as outcome: RequestOutcome) {
        rejectedRequests += 1
        let request = InFlight(arrival: arrival, deadline: .never)
        take(Ended(request: request, outcome: outcome, time: arrival.time), node: nil)
    }

    /// Takes in the outcomes that an engine has told.
    mutating func takeEnded(node: Int) {
        guard !ended.isEmpty else { return }
        for index in ended.indices { take(ended[index], node: node) }
        ended.removeAll(keepingCapacity: true)
    }

    /// Keeps a request for who asked. Apart, because what it needs would cost every request of a run that nobody asks.
    @inline(never) private mutating func hear(_ end: Ended) { heard.append(EndedRequest(end)) }

    /// Takes in an outcome: the run's sums, the timeline's, and those of the node that did the work.
    private mutating func take(_ end: Ended, node: Int?) {
        log?.ends.append((end, node.map { machines.machines[$0]!.name }))
        let isMet = tally.end(end)
        if isHeard { hear(end) }
        guard areBooksOpen else { return }
        row.count(end.outcome, isMet: isMet)
        guard let node else { return }
        let arrival = end.request.arrival
        machines.machines[node]!.tally.count(
            tenant: Int(arrival.tenant), isCompleted: end.outcome == .completed,
            promptTokens: Int64(arrival.promptTokens), outputTokens: Int64(arrival.outputTokens))
    }
}

extension TimelineRow {
    /// - Parameter outcome: `nil` for an end that only the live world has.
    mutating func count(_ outcome: RequestOutcome?, isMet: Bool) {
        ended += 1
        if isMet { met += 1 }
        switch outcome {
        case nil: failed += 1
        case .completed: completed += 1
        case .rejectedQueueFull, .rejectedTooLong: rejected? += 1
        case .failedTimeout, .failedReplicaLost: failed += 1
        case .unfinished: break
        }
    }
}
