import FleetModel
import Units

/// What happened in a pool, one by one, for a test that compares it with another world. No run keeps it.
struct PoolLog {
    /// A replica's life goes on.
    struct Phase: Hashable {
        var time: Instant
        var replica: ReplicaID
        var change: Change
    }

    enum Change: Hashable {
        case started
        case stage(StartStage)
        case ready
        case draining
        case gone
    }

    /// Ends of requests, with the machine that had the request; `nil` where the gateway told the end.
    var ends: [(end: Ended, instance: String?)] = []
    var phases: [Phase] = []
}

extension PoolLog.Change {
    /// What the fingerprint takes in.
    var code: Int64 {
        switch self {
        case .started: 0
        case .stage(let stage): 1 + Int64(stage.rawValue)
        case .ready: 10
        case .draining: 11
        case .gone: 12
        }
    }
}
