import FleetModel
import Units

/// What can happen to a replica.
public enum ReplicaEvent: Hashable, Sendable {
    /// The time that `nextTimer` named has come.
    case timer
    /// A real replica says that it serves, whichever stage its times foresaw.
    case healthy
    /// A scale-in chose it: it must be gone by the deadline.
    case drain(deadline: Instant)
    /// Its last request has ended.
    case emptied
    /// Its process has ended by itself.
    case lost
    /// The run, or the pool, ends.
    case stop
}

/// What its world must do about it.
public enum ReplicaAction: Hashable, Sendable {
    /// The next stage of the start has begun.
    case beginStage(StartStage)
    /// Route requests to it.
    case serve
    /// Route nothing new to it, and tell when its last request has ended.
    case stopRouting
    /// It is gone; requests that it still holds fail.
    case release(TerminationReason)
}

/// The life of a replica: starting in stages, ready, draining, terminated. A value: its world brings the time.
public struct ReplicaLifecycle: Hashable, Sendable {
    public private(set) var phase: ReplicaPhase
    /// When a `timer` event is due: the end of the stage under way, or the drain deadline.
    public private(set) var nextTimer: Instant?
    private let coldStart: ColdStart

    /// A replica that begins to start at `now`.
    public init(coldStart: ColdStart, at now: Instant) {
        self.coldStart = coldStart
        phase = .starting(.provision, since: now)
        nextTimer = now + coldStart.provision
    }

    /// A replica that is ready already, as the run finds it.
    public init(readyAt now: Instant) {
        coldStart = ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero)
        phase = .ready(since: now)
    }

    public mutating func handle(_ event: ReplicaEvent, at now: Instant) -> ReplicaAction? {
        switch (phase, event) {
        case (.starting(let stage, _), .timer):
            return advance(from: stage, at: now)
        case (.starting, .healthy):
            phase = .ready(since: now)
            nextTimer = nil
            return .serve
        case (.starting, .drain):
            // It holds no request, so there is nothing to wait for.
            return terminate(.cancelledStart, at: now)
        case (.ready, .drain(let deadline)):
            phase = .draining(since: now, deadline: deadline)
            nextTimer = deadline
            return .stopRouting
        case (.draining, .emptied):
            return terminate(.drained, at: now)
        case (.draining, .timer):
            return terminate(.drainDeadline, at: now)
        case (.starting, .lost), (.ready, .lost), (.draining, .lost):
            return terminate(.lost, at: now)
        case (.starting, .stop), (.ready, .stop), (.draining, .stop):
            return terminate(.endOfRun, at: now)
        case (.starting, .emptied), (.ready, .emptied):
            return nil  // Being idle ends only a drain.
        case (.ready, .healthy), (.draining, .healthy):
            return nil  // It says again what is known.
        case (.ready, .timer):
            return nil  // A ready replica waits for nothing; a late timer means nothing.
        case (.draining, .drain):
            return nil  // The first deadline stands: asking again must not prolong the drain.
        case (.terminated, _):
            return nil  // What is gone stays gone.
        }
    }

    private mutating func advance(from stage: StartStage, at now: Instant) -> ReplicaAction {
        guard let next = StartStage(rawValue: stage.rawValue + 1) else {
            phase = .ready(since: now)
            nextTimer = nil
            return .serve
        }
        phase = .starting(next, since: now)
        nextTimer = now + coldStart.duration(of: next)
        return .beginStage(next)
    }

    private mutating func terminate(_ reason: TerminationReason, at now: Instant) -> ReplicaAction {
        phase = .terminated(at: now, reason)
        nextTimer = nil
        return .release(reason)
    }
}
