import Control
import FleetModel
import Units

/// Pools of processes that the scenario has no more: workers that an earlier controller left finish what they run, and go.
///
/// A gateway that still knows such a pool is told first to send it nothing new.
actor RetiredPools {
    private var pools: [LocalPool]
    private let damaged: [LocalPoolStateError]
    private let gateway: GatewayClient
    /// Those that this controller has taken over.
    private var held: [LocalPool] = []
    private var last: Instant?

    /// - Parameter damaged: States in their place that cannot be read: nothing is done about them, but say so.
    init(_ pools: [LocalPool], damaged: [LocalPoolStateError] = [], gateway: GatewayClient) {
        self.pools = pools
        self.damaged = damaged
        self.gateway = gateway
    }

    /// Takes the pools over.
    ///
    /// - Parameter isActive: Whether this may be done, or only told of.
    /// - Returns: What an operator should know.
    /// - Throws: `ActuationError.fenced` when a later leader has been here.
    func begin(epoch: Int, isActive: Bool) async throws(ActuationError) -> [String] {
        var notes = damaged.map { "a pool is not in the scenario any more, and its workers stay: \($0)" }
        for pool in pools {
            let what = "pool '\(await pool.id)' is not in the scenario any more"
            guard isActive else {
                notes.append("\(what), and its workers stay: this controller only watches")
                continue
            }
            do {
                try await pool.begin(epoch: epoch)
                held.append(pool)
                notes.append("\(what): its workers finish what they run and end")
            } catch let error as ActuationError {
                throw error
            } catch {
                notes.append("\(what), and its workers stay: \(error)")
            }
        }
        return notes
    }

    func standDown() async {
        for pool in held { await pool.standDown() }
        held = []
    }

    /// Does what is due, once a second.
    ///
    /// - Returns: What an operator should know.
    /// - Throws: `ActuationError.fenced` when a later leader has been here.
    func carryOn(epoch: Int, at now: Instant) async throws(ActuationError) -> [String] {
        guard !held.isEmpty, last.map({ now - $0 >= .seconds(1) }) ?? true else { return [] }
        last = now
        var notes: [String] = []
        for pool in held {
            if let problem = try await empty(pool, epoch: epoch, at: now) { notes.append(problem) }
            guard await pool.isEmpty else { continue }
            do throws(ActuationError) {
                try await pool.discard()
            } catch .refused(let reason) {
                notes.append(
                    "pool '\(await pool.id)', which is not in the scenario any more, has no workers left and cannot be "
                        + "forgotten yet: \(reason)")
                continue
            }
            held.removeAll { $0 === pool }
            pools.removeAll { $0 === pool }
            notes.append("pool '\(await pool.id)', which is not in the scenario any more, has no workers left")
        }
        return notes
    }

    /// Has the gateway send a pool nothing new, and then its workers end.
    ///
    /// - Returns: What keeps it from that.
    private func empty(_ pool: LocalPool, epoch: Int, at now: Instant) async throws(ActuationError) -> String? {
        let endpoints = try await pool.status(at: now).endpoints
        var outstanding: [ReplicaID: Int] = [:]
        do throws(GatewayClient.Failure) {
            let routes = GatewayClient.Routes(epoch: epoch, endpoints, areDraining: true)
            outstanding = try await gateway.route(routes, of: await pool.id).outstanding
        } catch .refused(status: 404, _) {
            // A gateway that does not know the pool sends it nothing.
        } catch {
            return "\(error)"
        }
        await pool.hear(RoutingReport(outstanding: outstanding, stopped: Set(endpoints.map(\.id))))
        return nil
    }
}
