import FleetModel
import Units

extension FleetWorld {
    /// Closes the charge period of every node at `now` and opens the next one.
    mutating func closeChargePeriods(at now: Instant) {
        for pool in pools.indices {
            for position in pools[pool].alive { meter(pool: pool, position: position, at: now) }
            for node in pools[pool].nodes.indices where pools[pool].nodes[node] != nil {
                recordUsage(ofNode: node, in: pool, until: now, isGivenBack: false)
            }
        }
        checkpoints.append(Checkpoint(time: now, fingerprint: tally.fingerprint.hexadecimal))
    }

    /// Adds a replica's time up to now to its node.
    mutating func meter(pool: Int, position: Int, at now: Instant) {
        guard areBooksOpen else { return }
        pools[pool].meter(position, at: now)
    }

    /// Writes down what a node did since its charge period began; nothing when it has not been handed over yet.
    mutating func recordUsage(ofNode index: Int, in pool: Int, until now: Instant, isGivenBack: Bool) {
        let node = pools[pool].nodes[index]!
        let configuration = pools[pool].configuration
        guard areBooksOpen, node.launched < now || (isGivenBack && node.launched == now) else { return }
        usage.append(
            UsageRecord(
                instance: node.name, pool: configuration.id, offering: configuration.offering,
                slots: configuration.replicasPerInstance, launched: node.launched, start: node.periodStart, end: now,
                terminated: isGivenBack, busy: node.tally.busy, idle: node.tally.idle, starting: node.tally.starting,
                draining: node.tally.draining, promptTokens: node.tally.promptTokens,
                outputTokens: node.tally.outputTokens, requests: node.tally.requests))
        pools[pool].nodes[index]!.periodStart = now
        pools[pool].nodes[index]!.tally = UsageTally(tenants: scenario.tenants.count)
    }
}
