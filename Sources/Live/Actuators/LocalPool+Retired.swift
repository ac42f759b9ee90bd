import FleetModel
import Foundation
import Simulation
import Units

extension LocalPool {
    /// Pools whose state lies in a folder and that none of `known` is: with workers that an earlier controller left, or with
    /// usage that it could not write.
    ///
    /// - Parameter folder: Of all pools.
    /// - Returns: With them, states that cannot be read. Of a known pool, who takes it over meets that.
    static func retired(
        in folder: String, besides known: [PoolID], clock: LiveClock
    ) -> (pools: [LocalPool], damaged: [LocalPoolStateError]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var (pools, damaged) = ([LocalPool](), [LocalPoolStateError]())
        for name in names.sorted() where !known.contains(PoolID(name)) {
            do throws(LocalPoolStateError) {
                guard let state = try LocalPoolState.read("\(folder)/\(name)"), state.hasRemains,
                    !known.contains(state.machines.pool)
                else { continue }
                pools.append(LocalPool(Configuration(retired: state, folder: "\(folder)/\(name)"), clock: clock))
            } catch {
                damaged.append(error)
            }
        }
        return (pools, damaged)
    }
}

extension LocalPoolState {
    fileprivate var hasRemains: Bool { !workers.isEmpty || unwritten != nil }
}

extension LocalPool.Configuration {
    fileprivate init(retired state: LocalPoolState, folder: String) {
        pool = LocalPool.Terms(retired: state)
        (tenantCount, self.folder, isRetired) = (state.machines.tenantCount, folder, true)
        command = { replica, _ in preconditionFailure("\(replica) is started in a pool that is to end") }
    }
}

extension LocalPool.Terms {
    fileprivate init(retired state: LocalPoolState) {
        let machines = state.machines
        (id, offering, replicasPerInstance) = (machines.pool, machines.offering, machines.slots)
        coldStart = ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero)
        initialReplicas = 0
        // Workers know theirs too, and keep to it.
        drainDeadline = state.drainDeadline ?? .hours(1)
    }
}
