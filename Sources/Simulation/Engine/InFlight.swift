import FleetModel
import Units

/// A request inside the fleet.
struct InFlight {
    var arrival: Arrival
    /// When the client gives up; `.never` when it waits for ever.
    var deadline: Instant
    /// When it first entered a batch, and when its first token left: `.never` until then.
    var admitted = Instant.never
    var firstToken = Instant.never
    /// When its newest token left, kept only while it waits after a preemption.
    var lastToken = Instant.never
    /// Whether its outcome is told already and it only waits to leave the batch.
    var isAborted = false
}

/// A request that has its outcome.
struct Ended {
    var request: InFlight
    var outcome: RequestOutcome
    var time: Instant
}
