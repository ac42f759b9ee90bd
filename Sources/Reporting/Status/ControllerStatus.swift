import Control
import FleetModel
import Units

/// How a controller stands: what its status page shows and its JSON says.
public struct ControllerStatus: Sendable, Encodable {
    public enum Role: String, Sendable, Encodable {
        /// Another controller leads.
        case standby
        /// It leads, and only watches.
        case shadow
        case active
        case paused
    }

    public struct Pool: Sendable, Encodable {
        public var status: PoolStatus
        /// As the policy saw it last; `nil` before the first tick.
        public var observation: PoolObservation?
        /// The level it should have by the last tick, also where this controller does not act.
        public var desired: Int
        public var replicas: [Replica]
        /// What all its machines cost now; `nil` when a price is unknown.
        public var costPerHour: USD?
        /// What keeps it from its level.
        public var problems: [String]

        public init(
            status: PoolStatus, observation: PoolObservation?, desired: Int, replicas: [Replica], costPerHour: USD?,
            problems: [String]
        ) {
            self.status = status
            self.observation = observation
            self.desired = desired
            self.replicas = replicas
            self.costPerHour = costPerHour
            self.problems = problems
        }
    }

    public struct Replica: Sendable, Encodable {
        public var id: ReplicaID
        /// What its carrier calls it.
        public var name: String
        public var url: String?
        /// `starting`, `ready` or `draining`.
        public var phase: String
        /// Requests in its hands, by the gateway.
        public var outstanding: Int?

        public init(id: ReplicaID, name: String, url: String?, phase: String, outstanding: Int?) {
            self.id = id
            self.name = name
            self.url = url
            self.phase = phase
            self.outstanding = outstanding
        }
    }

    /// Something that an operator should look at.
    public struct Problem: Hashable, Sendable, Encodable {
        public var time: Instant
        public var text: String

        public init(time: Instant, text: String) {
            self.time = time
            self.text = text
        }
    }

    public var version: String
    public var role: Role
    public var epoch: Int?
    /// Who leads in its place; `nil` while it leads itself, and where that is not known.
    public var leader: String?
    public var started: Instant
    public var time: Instant
    public var policy: String
    /// The digest of `policy.json`.
    public var policyDigest: String
    public var journal: String
    public var ticks: Int
    public var pools: [Pool]
    /// The last decisions that changed something or were changed by a guard, newest first.
    public var decisions: [ControlRecord]
    /// What is the matter now.
    public var alarms: [Alarm]
    /// Newest first.
    public var problems: [Problem]

    public init(
        version: String, role: Role, epoch: Int?, leader: String? = nil, started: Instant, time: Instant,
        policy: String, policyDigest: String, journal: String, ticks: Int, pools: [Pool],
        decisions: [ControlRecord], alarms: [Alarm] = [], problems: [Problem]
    ) {
        self.version = version
        self.role = role
        self.epoch = epoch
        self.leader = leader
        self.started = started
        self.time = time
        self.policy = policy
        self.policyDigest = policyDigest
        self.journal = journal
        self.ticks = ticks
        self.pools = pools
        self.decisions = decisions
        self.alarms = alarms
        self.problems = problems
    }
}
