import Formats
import Units

/// Who may act, on one host by a locked file, in a cluster by a Lease.
public enum ControllerLease: Sendable {
    case file(LeaderLease)
    case cluster(KubernetesLeadership)

    /// The term in which this process leads; `nil` while it does not.
    var epoch: Int? {
        switch self {
        case .file(let lease): lease.epoch
        case .cluster(let leadership): leadership.epoch
        }
    }

    /// Who leads in this one's place, in words; `nil` while nobody does, and in a cluster, where `kubectl` tells.
    var leader: String? {
        guard case .file(let lease) = self, let leader = lease.leader else { return nil }
        return "process \(leader.process) in epoch \(leader.epoch)"
    }

    /// Takes leadership when it is free, or keeps it.
    ///
    /// - Returns: Whether this process leads.
    mutating func acquire() throws(OutputError) -> Bool {
        switch self {
        case .file(var lease):
            defer { self = .file(lease) }
            return try lease.acquire()
        case .cluster(let leadership): return leadership.epoch != nil
        }
    }

    /// Does something that only a leader may.
    ///
    /// - Parameter epoch: The term that the act belongs to.
    mutating func whileLeading<Value>(in epoch: Int, _ act: () throws -> Value) throws -> Value {
        switch self {
        case .file(var lease):
            defer { self = .file(lease) }
            return try lease.whileLeading { held in
                guard held == epoch else { throw LeaderLease.Loss.taken(epoch: held) }
                return try act()
            }
        case .cluster(let leadership):
            guard let held = leadership.epoch else { throw LeaderLease.Loss.expired }
            guard held == epoch else { throw LeaderLease.Loss.taken(epoch: held) }
            return try act()
        }
    }

    /// Lets another lead at once. A cluster's lease is given back by whoever renews it.
    mutating func release() {
        guard case .file(var lease) = self else { return }
        lease.release()
        self = .file(lease)
    }

    /// Renews what must be renewed beside the controller's own work.
    func run() async {
        if case .cluster(let leadership) = self { await leadership.run() }
    }
}
