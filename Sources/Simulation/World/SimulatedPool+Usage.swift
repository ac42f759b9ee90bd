import FleetModel
import Units

extension SimulatedPool {
    /// Closes the charge period of every machine at `now` and opens the next one.
    mutating func closeChargePeriod(at now: Instant) {
        for position in alive { meter(position, at: now) }
        if areBooksOpen { usage += machines.closePeriod(at: now) }
    }

    /// Adds a replica's time up to now to its machine.
    mutating func meter(_ position: Int, at now: Instant) {
        guard areBooksOpen else { return }
        let node = replicas[position]!.node
        replicas[position]!.meter(into: &machines.machines[node]!.tally, at: now)
    }

    /// The end of the bill. The pool stays as it is for the requests still in flight.
    mutating func closeBooks(at now: Instant) {
        countReplicas(at: now)
        busyAtHorizon = rowBusy
        areBooksOpen = false
    }
}
