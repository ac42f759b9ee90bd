import Control
import FleetModel
import Units

/// Resizes one pool, and knows its replicas without a scrape.
///
/// An order is a level with the generation of its decision and the epoch of the leader who gave it. Both survive a restart
/// of the controller with whoever carries them out, so `status` always tells the generation last applied.
public protocol PoolActuator: Sendable {
    /// Takes the pool over for a new leader: what there is stays as it is.
    func begin(epoch: Int) async throws

    /// Leadership is lost: what the pool does from now on is another's.
    func standDown() async

    /// Brings the pool to a level. Returns when the order is durable with whoever carries it out; applying one twice is
    /// harmless.
    ///
    /// A scale-in is not over when this returns: its victims drain first. `carryOn` ends it.
    ///
    /// - Throws: The order was not taken. After `.unreachable` nobody knows whether it was, so give it again.
    func apply(_ target: AppliedTarget, epoch: Int, at now: Instant) async throws(ActuationError)

    /// Does what is due of an order that takes time, such as lowering the count once the victims are empty.
    ///
    /// For the leader alone, once a tick, also after a restart: it finishes what its predecessor began.
    func carryOn(epoch: Int, at now: Instant) async throws(ActuationError)

    /// Hears what the gateway knows: how many requests each replica holds, and which get nothing new any more and may be
    /// stopped.
    func hear(_ routing: RoutingReport) async

    /// Hears how long a replica's engine has computed, of its own count.
    func hear(busy: TimeSpan, of replica: ReplicaID) async

    /// Has one replica finish what it runs and go. The pool keeps its level: another takes its place.
    func drain(_ replica: ReplicaID, epoch: Int, at now: Instant) async throws(ActuationError)

    /// Closes the charge period of every machine and opens the next one.
    func closePeriod(at now: Instant) async

    /// Takes a level that someone else has set as the pool's own. Until then every order is refused with `.conflict`.
    func adopt(_ level: Int, epoch: Int, at now: Instant) async throws(ActuationError)

    /// The pool as it is: counts by phase, generations and target, and where each replica answers.
    func status(at now: Instant) async throws(ActuationError) -> ActuatorStatus
}

extension PoolActuator {
    /// Orders that are carried out at once leave nothing to do.
    public func carryOn(epoch: Int, at now: Instant) async throws(ActuationError) {}

    /// A carrier that drains by itself need not hear.
    public func hear(_ routing: RoutingReport) async {}

    public func begin(epoch: Int) async throws {}

    /// Orders that carry an epoch are refused by whoever gets them.
    public func standDown() async {}

    public func hear(busy: TimeSpan, of replica: ReplicaID) async {}

    /// What machines cost is told by who rents them out.
    public func closePeriod(at now: Instant) async {}

    public func drain(_ replica: ReplicaID, epoch: Int, at now: Instant) async throws(ActuationError) {
        throw .refused("this pool's carrier chooses by itself which replica goes")
    }

    /// Nobody else can change a pool of processes that the actuator itself started.
    public func adopt(_ level: Int, epoch: Int, at now: Instant) async throws(ActuationError) {}
}

/// A pool as its actuator knows it.
public struct ActuatorStatus: Hashable, Sendable {
    /// What the controller's loop is told.
    public var pool: PoolStatus
    /// Every replica that is alive, in order of their numbers.
    public var endpoints: [ReplicaEndpoint]
    /// The level that someone else has set; `nil` while the pool is as it was ordered.
    public var foreignLevel: Int?
    /// What keeps the pool from its level, in words an operator reads: an image that cannot be pulled, no node with a GPU.
    public var problems: [String]

    public init(pool: PoolStatus, endpoints: [ReplicaEndpoint], foreignLevel: Int? = nil, problems: [String] = []) {
        self.pool = pool
        self.endpoints = endpoints
        self.foreignLevel = foreignLevel
        self.problems = problems
    }
}

/// Where a replica answers, and whether requests may go there.
public struct ReplicaEndpoint: Hashable, Sendable {
    public enum Phase: String, Hashable, Sendable, Codable { case starting, ready, draining }

    public var id: ReplicaID
    /// What its carrier calls it: a pod's name, a process's number.
    public var name: String
    /// Its base, such as `http://10.1.0.7:8000`; `nil` until it has an address.
    public var url: String?
    /// A Unix socket by which a gateway on the same machine may reach it; `nil` for none.
    public var socket: String?
    public var phase: Phase

    public init(id: ReplicaID, name: String, url: String?, socket: String? = nil, phase: Phase) {
        self.id = id
        self.name = name
        self.url = url
        self.socket = socket
        self.phase = phase
    }
}

/// What a gateway says of a pool's replicas after it was told of them.
public struct RoutingReport: Hashable, Sendable {
    /// Requests in each replica's hands.
    public var outstanding: [ReplicaID: Int]
    /// Replicas that get nothing new.
    public var stopped: Set<ReplicaID>

    public init(outstanding: [ReplicaID: Int], stopped: Set<ReplicaID>) {
        self.outstanding = outstanding
        self.stopped = stopped
    }
}

/// Why a pool was not resized, or cannot be seen.
public enum ActuationError: Error, Hashable, Sendable {
    /// Whoever carries orders out says no, and will again: a missing right, a quota, a level that it does not allow.
    case refused(String)
    /// Someone else changed the pool: its level is theirs, and theirs stays until an operator says otherwise.
    case conflict(foreignLevel: Int)
    /// No answer, or one that says "later". Whether the order was taken is not known; giving it again is harmless.
    case unreachable(String)
    /// A later leader has given orders: this one must stop giving any.
    case fenced(epoch: Int)
    /// The pool has an order of a later decision already.
    case outdated(generation: Int)
    /// What was to be resized does not exist.
    case missing(String)
    /// What came back cannot be understood.
    case garbled(String)
}

extension ActuationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let reason): "refused: \(reason)"
        case .conflict(let level): "someone else set the pool to \(level) replicas"
        case .unreachable(let reason): "unreachable: \(reason)"
        case .fenced(let epoch): "fenced: the leader of epoch \(epoch) has given orders since"
        case .outdated(let generation): "outdated: the pool has the order of generation \(generation) already"
        case .missing(let what): "missing: \(what)"
        case .garbled(let what): "garbled: \(what)"
        }
    }
}
