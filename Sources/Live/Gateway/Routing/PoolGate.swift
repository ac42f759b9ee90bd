import Collections
import FleetModel
import Formats
import Serving
import Units

/// The door of one pool: which replica a request goes to, who waits for one, and who is refused. A value without a socket.
///
/// The rules are the simulated gateway's: while no replica is ready, requests wait in the order they came, as many as one
/// replica may have waiting; nobody passes those who wait; else the router chooses or refuses.
struct PoolGate: Sendable {
    /// A request that waits for a replica.
    struct Ticket: Hashable, Sendable {
        var number: UInt64
        /// The event loop that its connection belongs to.
        var loop: Int
    }

    enum Answer: Hashable, Sendable {
        case send(Assignment)
        case held
        /// As many wait as may.
        case full
    }

    /// A request's place on a replica. Whoever has one gives it back with `release`.
    struct Assignment: Hashable, Sendable {
        /// Names the replica for as long as the gateway runs.
        var serial: Int
        var id: ReplicaID
        var endpoint: Endpoint
        /// Whether this request tries a replica that was ejected.
        var isProbe: Bool
    }

    /// How a request left a replica.
    enum Release: Hashable, Sendable {
        /// It answered, whatever it was.
        case served
        /// Given up by this side: nothing is known of the replica.
        case abandoned
        /// It could not be reached, broke off, or said that it takes nothing.
        case failed
    }

    let configuration: GatewayConfiguration.Pool
    private let ejection: EjectionRules
    /// In order of their numbers, those that are gone and still serve last.
    private(set) var replicas: [GateReplica] = []
    private(set) var held: Deque<Ticket> = []
    private var router: Router
    /// Places in `replicas` of those that the router chooses from.
    private var ready: [Int] = []
    private var nextSerial = 0

    init(_ configuration: GatewayConfiguration.Pool, ejection: EjectionRules) {
        self.configuration = configuration
        self.ejection = ejection
        router = Router(kind: configuration.router, maxWaiting: configuration.maxWaitingPerReplica)
    }

    // MARK: - Requests

    /// A request arrives.
    mutating func arrive(_ ticket: Ticket) -> Answer {
        if ready.isEmpty || !held.isEmpty {
            guard held.count < configuration.maxWaitingPerReplica else { return .full }
            held.append(ticket)
            return .held
        }
        return route().map { .send($0) } ?? .full
    }

    /// A request whose replica failed before its first byte looks for another. It keeps its turn: it waits before all others.
    mutating func retry(_ ticket: Ticket) -> Answer {
        if let assignment = route() { return .send(assignment) }
        held.prepend(ticket)
        return .held
    }

    /// A second replica for a request whose first one is silent; `nil` when there is no other with room.
    mutating func hedge(beside serial: Int) -> Assignment? {
        guard ready.count > 1, held.isEmpty else { return nil }
        let place = place(of: serial).flatMap { replicas[$0].routerIndex }
        if let place { router.update(place, to: RouteCandidate(outstanding: 0, waiting: .max)) }
        let other = route()
        if place != nil { update(self.place(of: serial)!) }
        return other
    }

    /// A request that waits is given up.
    ///
    /// - Returns: Whether it waited.
    mutating func withdraw(_ ticket: Ticket) -> Bool {
        guard let index = held.firstIndex(of: ticket) else { return false }
        held.remove(at: index)
        return true
    }

    /// A request has left its replica.
    mutating func release(_ serial: Int, as release: Release, at now: Instant) {
        guard let place = place(of: serial) else { preconditionFailure("replica \(serial) was never assigned") }
        replicas[place].outstanding -= 1
        precondition(replicas[place].outstanding >= 0, "replica \(replicas[place].id) gave back more than it had")
        switch release {
        case .served: replicas[place].health = .healthy
        case .abandoned:
            // The probe told nothing: the next request is one.
            if case .probing = replicas[place].health { replicas[place].health = .probing(isUnderWay: false) }
        case .failed: eject(place, at: now)
        }
        if replicas[place].isGone, replicas[place].outstanding == 0 {
            replicas.remove(at: place)
            rebuild()
        } else if release == .failed {
            rebuild()
        } else {
            update(place)
        }
    }

    /// A request that tries a replica has its first byte: the replica serves, however long the rest takes.
    mutating func answered(_ serial: Int) {
        guard let place = place(of: serial), case .probing = replicas[place].health else { return }
        replicas[place].health = .healthy
        update(place)
    }

    /// Requests that wait and for which there is room now, in order.
    mutating func dispatchHeld() -> [(ticket: Ticket, assignment: Assignment)] {
        var sent: [(ticket: Ticket, assignment: Assignment)] = []
        while !held.isEmpty, let assignment = route() { sent.append((held.removeFirst(), assignment)) }
        return sent
    }

    private mutating func route() -> Assignment? {
        guard let index = router.route() else { return nil }
        let place = ready[index]
        replicas[place].outstanding += 1
        var isProbe = false
        if case .probing = replicas[place].health {
            replicas[place].health = .probing(isUnderWay: true)
            isProbe = true
        }
        update(place)
        return Assignment(
            serial: replicas[place].serial, id: replicas[place].id, endpoint: replicas[place].endpoint, isProbe: isProbe
        )
    }

    // MARK: - Replicas

    /// Replaces the set of replicas: those no longer named get nothing new, and what runs on them goes on.
    mutating func set(_ named: [RegisteredReplica]) {
        var kept: [GateReplica] = []
        for replica in named.sorted(by: { $0.id < $1.id }) {
            let old = replicas.first { $0.id == replica.id && $0.endpoint == replica.endpoint && !$0.isGone }
            var next = old ?? GateReplica(serial: takeSerial(), id: replica.id, endpoint: replica.endpoint)
            next.isDraining = replica.isDraining
            kept.append(next)
        }
        let names = Set(kept.map(\.serial))
        for var replica in replicas where !names.contains(replica.serial) && replica.outstanding > 0 {
            replica.isGone = true
            kept.append(replica)
        }
        replicas = kept
        rebuild()
    }

    /// A replica is silent while requests run on it: it gets nothing new for a while.
    mutating func stalled(_ serial: Int, at now: Instant) {
        guard let place = place(of: serial), !replicas[place].isGone else { return }
        if case .ejected = replicas[place].health { return }
        eject(place, at: now)
        rebuild()
    }

    /// Lets replicas whose time has come be tried again.
    ///
    /// - Returns: Whether there is one more to choose from.
    mutating func readmit(at now: Instant) -> Bool {
        var isAny = false
        for place in replicas.indices {
            guard case .ejected(let until) = replicas[place].health, until <= now else { continue }
            replicas[place].health = .probing(isUnderWay: false)
            isAny = true
        }
        if isAny { rebuild() }
        return isAny
    }

    private mutating func eject(_ place: Int, at now: Instant) {
        let last = replicas[place].backOff
        let next = last == .zero ? ejection.backOff : min(last + last, ejection.longestBackOff)
        replicas[place].backOff = next
        replicas[place].health = .ejected(until: now + next)
    }

    private mutating func takeSerial() -> Int {
        nextSerial += 1
        return nextSerial
    }

    private func place(of serial: Int) -> Int? { replicas.firstIndex { $0.serial == serial } }

    private mutating func rebuild() {
        ready.removeAll(keepingCapacity: true)
        for place in replicas.indices {
            replicas[place].routerIndex = nil
            guard replicas[place].isCandidate else { continue }
            replicas[place].routerIndex = ready.count
            ready.append(place)
        }
        router.reset(to: ready.map { replicas[$0].load(maxSequences: configuration.maxSequences) })
    }

    private mutating func update(_ place: Int) {
        if case .healthy = replicas[place].health { replicas[place].backOff = .zero }
        guard let index = replicas[place].routerIndex else { return }
        router.update(index, to: replicas[place].load(maxSequences: configuration.maxSequences))
    }
}

/// A replica as the controller names it.
struct RegisteredReplica: Hashable, Sendable {
    var id: ReplicaID
    var endpoint: Endpoint
    var isDraining: Bool
}

/// One replica behind a gate.
struct GateReplica: Hashable, Sendable {
    enum Health: Hashable, Sendable {
        case healthy
        /// It gets nothing until then.
        case ejected(until: Instant)
        /// It gets one request, which decides.
        case probing(isUnderWay: Bool)
    }

    let serial: Int
    let id: ReplicaID
    let endpoint: Endpoint
    var isDraining = false
    /// Named no longer, and not yet empty.
    var isGone = false
    var outstanding = 0
    var health = Health.healthy
    /// The last pause; zero when the last request went well.
    var backOff = TimeSpan.zero
    /// Its place among the router's candidates.
    var routerIndex: Int?

    init(serial: Int, id: ReplicaID, endpoint: Endpoint) {
        (self.serial, self.id, self.endpoint) = (serial, id, endpoint)
    }

    var isCandidate: Bool {
        guard !isDraining, !isGone else { return false }
        if case .ejected = health { return false }
        return true
    }

    /// What the gateway counts is what the engine holds; what exceeds the engine's sequences waits there.
    func load(maxSequences: Int) -> RouteCandidate {
        if case .probing(isUnderWay: true) = health { return RouteCandidate(outstanding: outstanding, waiting: .max) }
        return RouteCandidate(outstanding: outstanding, waiting: max(0, outstanding - maxSequences))
    }

    var state: String {
        if isDraining || isGone { return "draining" }
        if case .ejected = health { return "ejected" }
        return "routing"
    }
}
