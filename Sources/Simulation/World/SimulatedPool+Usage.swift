import FleetModel
import Units

extension SimulatedPool {
    /// Closes the charge period of every node at `now` and opens the next one.
    mutating func closeChargePeriod(at now: Instant) {
        for position in alive { meter(position, at: now) }
        for node in nodes.indices where nodes[node] != nil {
            recordUsage(ofNode: node, until: now, isGivenBack: false)
        }
    }

    /// Adds a replica's time up to now to its node.
    mutating func meter(_ position: Int, at now: Instant) {
        guard areBooksOpen else { return }
        let node = replicas[position]!.node
        replicas[position]!.meter(into: &nodes[node]!.tally, at: now)
    }

    /// Writes down what a node did since its charge period began; nothing when it has not been handed over yet.
    mutating func recordUsage(ofNode index: Int, until now: Instant, isGivenBack: Bool) {
        let node = nodes[index]!
        guard areBooksOpen, node.launched < now || (isGivenBack && node.launched == now) else { return }
        usage.append(
            UsageRecord(
                instance: node.name, pool: configuration.id, offering: configuration.offering,
                slots: configuration.replicasPerInstance, launched: node.launched, start: node.periodStart, end: now,
                terminated: isGivenBack, busy: node.tally.busy, idle: node.tally.idle, starting: node.tally.starting,
                draining: node.tally.draining, promptTokens: node.tally.promptTokens,
                outputTokens: node.tally.outputTokens, requests: node.tally.requests))
        nodes[index]!.periodStart = now
        nodes[index]!.tally = UsageTally(tenants: tenantCount)
    }

    /// The end of the bill. The pool stays as it is for the requests still in flight.
    mutating func closeBooks(at now: Instant) {
        countReplicas(at: now)
        busyAtHorizon = rowBusy
        areBooksOpen = false
    }
}
