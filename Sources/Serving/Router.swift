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
public struct Router: Sendable {
    public let kind: RouterKind
    /// A replica with this many waiting requests takes no more.
    public let maxWaiting: Int
    private var turn = 0

    /// - Precondition: `maxWaiting` is at least 1.
    public init(kind: RouterKind, maxWaiting: Int) {
        precondition(maxWaiting >= 1, "a replica must be able to hold a request")
        self.kind = kind
        self.maxWaiting = maxWaiting
    }

    /// The index of the replica that takes the next request; `nil` when every queue is full and it must be rejected.
    ///
    /// - Complexity: O(`count`).
    public mutating func route(count: Int, candidate: (Int) -> RouteCandidate) -> Int? {
        switch kind {
        case .roundRobin:
            for offset in 0..<count {
                let index = (turn + offset) % count
                if candidate(index).waiting < maxWaiting {
                    turn = (index + 1) % count
                    return index
                }
            }
            return nil
        case .leastOutstanding:
            var best: Int?
            var fewest = Int.max
            for index in 0..<count {
                let replica = candidate(index)
                if replica.waiting < maxWaiting, replica.outstanding < fewest {
                    best = index
                    fewest = replica.outstanding
                }
            }
            return best
        }
    }
}
