/// How a pool's gateway chooses a replica.
public enum RouterKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Each in turn.
    case roundRobin = "round-robin"
    /// The one with the fewest requests in its hands, running and waiting; of equals the one that is first in order.
    case leastOutstanding = "least-outstanding"
}

/// One replica as the gateway sees it.
public struct RouteCandidate: Hashable, Sendable {
    public var outstanding: Int
    public var waiting: Int

    @inlinable public init(outstanding: Int, waiting: Int) {
        self.outstanding = outstanding
        self.waiting = waiting
    }
}

/// Chooses a replica for a request, or none: admission and routing in one place, because both ask the same question.
///
/// It is told of its candidates when they change, and answers at once however many there are:
///
///     router.reset(to: readyReplicas.map(\.load))
///     if let index = router.route() { … }
///     router.update(index, to: load)
public struct Router: Sendable {
    public let kind: RouterKind
    /// A replica with this many waiting requests takes no more.
    public let maxWaiting: Int
    /// How many replicas there are to choose from.
    public private(set) var count = 0
    private var turn = 0
    /// Requests in each replica's hands, where it takes more; for round robin 0.
    private var open = LeastKeyTree()

    /// - Precondition: `maxWaiting` is at least 1.
    public init(kind: RouterKind, maxWaiting: Int) {
        precondition(maxWaiting >= 1, "a replica must be able to hold a request")
        self.kind = kind
        self.maxWaiting = maxWaiting
    }

    /// Replaces all candidates, when replicas have come or gone.
    public mutating func reset(to candidates: [RouteCandidate]) {
        count = candidates.count
        open.removeAll()
        for (index, candidate) in candidates.enumerated() { update(index, to: candidate) }
    }

    /// Takes note of what a candidate holds now.
    ///
    /// - Precondition: `index` is below `count`.
    public mutating func update(_ index: Int, to candidate: RouteCandidate) {
        precondition(index < count, "candidate \(index) of \(count)")
        let isOpen = candidate.waiting < maxWaiting
        open.set(index, to: !isOpen ? .max : kind == .roundRobin ? 0 : Int64(candidate.outstanding))
    }

    /// The index of the replica that takes the next request; `nil` when every queue is full and it must be rejected.
    ///
    /// - Complexity: O(1); round robin passes over full queues one by one.
    public mutating func route() -> Int? {
        guard open.leastKey < .max else { return nil }
        guard kind == .roundRobin else { return open.first }
        for offset in 0..<count {
            let index = (turn + offset) % count
            if open.key(of: index) < .max {
                turn = (index + 1) % count
                return index
            }
        }
        return nil
    }
}
