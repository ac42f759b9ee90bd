import FleetModel

/// A replica as a scale-in weighs it.
public struct VictimCandidate: Hashable, Sendable {
    public var replica: ReplicaID
    public var isStarting: Bool
    /// Requests in its hands.
    public var outstanding: Int
    /// Other replicas that would keep its machine from being given back.
    public var neighbours: Int

    public init(replica: ReplicaID, isStarting: Bool, outstanding: Int, neighbours: Int) {
        self.replica = replica
        self.isStarting = isStarting
        self.outstanding = outstanding
        self.neighbours = neighbours
    }
}

/// Chooses the replicas that a scale-in takes away.
///
/// Starting ones first, since nobody waits for them; then those that leave the emptiest machine, because a machine is
/// paid for as a whole; then those with the fewest requests; of equals the youngest. After each choice the machines'
/// neighbours are the caller's to count anew, so victims are taken one at a time.
///
/// - Returns: The victim; `nil` when there is no candidate.
/// - Complexity: O(`candidates`).
public func chooseVictim(among candidates: [VictimCandidate]) -> ReplicaID? {
    candidates.min { a, b in
        if a.isStarting != b.isStarting { return a.isStarting }
        if a.neighbours != b.neighbours { return a.neighbours < b.neighbours }
        if a.outstanding != b.outstanding { return a.outstanding < b.outstanding }
        return a.replica > b.replica
    }?.replica
}
