import FleetModel
import Formats
import Synchronization
import Units

/// Takes what a controller and operators set, keeps it in the registry's file, and hands it to the gates.
final class ReplicaRegistry: Sendable {
    enum Problem: Error, Hashable, Sendable {
        case unknownPool(String)
        case unknownTenant(String)
        /// An old controller: a newer one has shown this epoch.
        case fenced(highest: Int)
        case badReplica(String)
        /// The file could not be written; nothing has changed.
        case notKept(String)
    }

    private let core: GatewayCore
    private let file: RegistryFile
    /// One change at a time: what is in the file is what the gates have.
    private let registry: Mutex<Registry>

    init(_ core: GatewayCore, folder: String) throws(SealedFileError) {
        self.core = core
        file = RegistryFile(folder: folder)
        registry = Mutex(try file.read())
    }

    /// Gives the gates what the file says, so that a gateway that starts again routes at once.
    func restore() {
        let known = registry.withLock { $0 }
        let now = MonotonicTime.now
        core.state.withLock { state in
            for index in state.gates.indices {
                let replicas = known.pools[core.configuration.pools[index].id.name] ?? []
                state.gates[index].set(replicas.compactMap { try? $0.registered() })
            }
            for (name, cap) in known.caps {
                guard let tenant = core.tenant(named: name) else { continue }
                state.accounts[tenant].setCap(perMinute: cap.tokensPerMinute, reason: cap.reason, at: now)
            }
        }
    }

    /// Replaces the replicas of a pool.
    func set(_ replicas: [Registry.Replica], of pool: String, epoch: Int) throws(Problem) {
        guard let index = core.configuration.pools.firstIndex(where: { $0.id.name == pool }) else {
            throw .unknownPool(pool)
        }
        var ids: Set<Int> = []
        var registered: [RegisteredReplica] = []
        for replica in replicas {
            guard ids.insert(replica.id).inserted else { throw .badReplica("replica \(replica.id) is named twice") }
            do throws(LoadError) {
                registered.append(try replica.registered())
            } catch {
                throw .badReplica("replica \(replica.id): \(error)")
            }
        }
        try change { registry throws(Problem) in
            guard epoch >= registry.epoch else { throw .fenced(highest: registry.epoch) }
            registry.epoch = epoch
            registry.pools[pool] = replicas
        } apply: {
            core.state.withLock { $0.gates[index].set(registered) }
        }
        core.dispatchHeld(index)
    }

    /// Sets or takes away a tenant's cap.
    func setCap(_ limit: Int?, reason: String, of tenant: String) throws(Problem) {
        guard let index = core.tenant(named: tenant) else { throw .unknownTenant(tenant) }
        try change { registry throws(Problem) in
            registry.caps[tenant] = limit.map { Registry.Cap(tokensPerMinute: $0, reason: reason) }
        } apply: {
            let now = MonotonicTime.now
            core.state.withLock { $0.accounts[index].setCap(perMinute: limit, reason: reason, at: now) }
        }
    }

    /// Writes the file first: what the gates act on a restart will find.
    private func change(
        _ body: (inout Registry) throws(Problem) -> Void, apply: () -> Void
    ) throws(Problem) {
        let problem: Problem? = registry.withLock { registry in
            var next = registry
            do throws(Problem) {
                try body(&next)
            } catch {
                return error
            }
            if next != registry {
                do {
                    try file.write(next)
                } catch {
                    return .notKept("\(error)")
                }
                registry = next
            }
            apply()
            return nil
        }
        if let problem { throw problem }
    }
}

extension Registry.Replica {
    func registered() throws(LoadError) -> RegisteredReplica {
        RegisteredReplica(id: ReplicaID(id), endpoint: try Endpoint(url, socket: socket), isDraining: draining)
    }
}
