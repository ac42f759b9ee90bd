import FleetModel

/// Numbers for replicas that their carrier knows by names: each keeps its own while it lives, and none is given twice.
struct ReplicaNumbers: Hashable, Sendable {
    private var numbers: [String: ReplicaID] = [:]
    private var last = 0

    subscript(_ name: String) -> ReplicaID? { numbers[name] }

    /// The number of `name`: the next one when it is new.
    mutating func number(of name: String) -> ReplicaID {
        if let known = numbers[name] { return known }
        last += 1
        numbers[name] = ReplicaID(last)
        return ReplicaID(last)
    }

    mutating func forget(_ name: String) { numbers[name] = nil }
    mutating func keep(where isAlive: (String) -> Bool) { numbers = numbers.filter { isAlive($0.key) } }
}
