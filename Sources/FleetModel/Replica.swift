import Units

/// What a starting replica is busy with. Stages run in this order.
public enum StartStage: Int, Hashable, Sendable, Codable, CaseIterable {
    /// Waiting for a machine.
    case provision
    /// Fetching the image.
    case pull
    /// Reading weights into memory.
    case load
    /// Compiling, capturing graphs, running the first steps.
    case warmUp

    public var name: String {
        switch self {
        case .provision: "provision"
        case .pull: "pull"
        case .load: "load"
        case .warmUp: "warm-up"
        }
    }
}

/// Why a replica ended.
public enum TerminationReason: String, Hashable, Sendable, Codable {
    /// A scale-in, after its last request.
    case drained
    /// A scale-in, at its drain deadline, with requests still running.
    case drainDeadline
    /// A scale-in before it was ready.
    case cancelledStart
    /// Its process ended by itself.
    case lost
    /// The end of the run.
    case endOfRun
}

/// Where a replica is in its life.
public enum ReplicaPhase: Hashable, Sendable, Codable {
    case starting(StartStage, since: Instant)
    case ready(since: Instant)
    case draining(since: Instant, deadline: Instant)
    case terminated(at: Instant, TerminationReason)
}

/// The durations of a cold start, stage by stage.
public struct ColdStart: Hashable, Sendable, Codable {
    public var provision: TimeSpan
    public var pull: TimeSpan
    public var load: TimeSpan
    public var warmUp: TimeSpan

    public init(provision: TimeSpan, pull: TimeSpan, load: TimeSpan, warmUp: TimeSpan) {
        self.provision = provision
        self.pull = pull
        self.load = load
        self.warmUp = warmUp
    }

    public func duration(of stage: StartStage) -> TimeSpan {
        switch stage {
        case .provision: provision
        case .pull: pull
        case .load: load
        case .warmUp: warmUp
        }
    }

    /// Request for capacity to `ready`.
    public var total: TimeSpan { provision + pull + load + warmUp }
}
