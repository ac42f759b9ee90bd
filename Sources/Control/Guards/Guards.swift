import FleetModel
import Scaling
import Units

/// The guards in their order, with what they must remember between ticks.
///
/// Bounds, step limits, disruption budget, data, restart, stabilisation and tenants' abuse each see what the one before let through;
/// then the freeze, which overrides them all, and last the ceiling over all pools, which only takes increases back.
public struct Guards: Sendable {
    public let limits: GuardLimits
    /// The first tick.
    private var start: Instant?
    /// By pool name.
    private var pools: [String: PoolMemory] = [:]

    /// What they remember between ticks.
    struct Memory: Hashable, Sendable, Codable {
        fileprivate var start: Instant?
        fileprivate var pools: [String: PoolMemory]
    }

    var memory: Memory {
        get { Memory(start: start, pools: pools) }
        set { (start, pools) = (newValue.start, newValue.pools) }
    }

    fileprivate struct PoolMemory: Hashable, Sendable, Codable {
        var sent: Sent
        var wanted = TrailingMaximum()
        var frozenUntil: Instant?
    }

    /// The level last sent, when, and under which generation.
    fileprivate struct Sent: Hashable, Sendable, Codable {
        var replicas: Int
        var generation: Int
        var at: Instant
    }

    public init(limits: GuardLimits) { self.limits = limits }

    /// The levels that may be applied for the levels `wanted`, pool by pool in the observation's order, and every change
    /// made on the way.
    ///
    /// - Precondition: one level per pool; time never goes back.
    mutating func apply(
        to wanted: [Int], observation: FleetObservation
    ) -> (levels: [Int], interventions: [GuardIntervention]) {
        precondition(wanted.count == observation.pools.count, "one level per pool")
        let now = observation.time
        let start = start ?? now
        self.start = start
        var levels: [Int] = []
        var interventions: [GuardIntervention] = []
        for (pool, proposed) in zip(observation.pools, wanted) {
            var level = proposed
            func pass(_ intervention: GuardIntervention?) {
                guard let intervention else { return }
                level = intervention.allowed
                interventions.append(intervention)
            }
            pass(GuardRules.bounds(pool, proposed: level))
            let highest = remember(level, of: pool, at: now)
            pass(GuardRules.stepLimit(pool, proposed: level, limits: limits))
            pass(GuardRules.disruptionBudget(pool, proposed: level, limits: limits))
            pass(GuardRules.incompleteData(pool, proposed: level, limits: limits))
            pass(GuardRules.restart(pool, proposed: level, limits: limits, since: start, at: now))
            pass(GuardRules.stabilization(pool, proposed: level, highest: highest, limits: limits))
            pass(GuardRules.tenantAbuse(pool, proposed: level))
            if let until = frozenUntil(pool, at: now) {
                pass(GuardRules.foreignChange(pool, proposed: level, frozenUntil: until))
            }
            levels.append(level)
        }
        for intervention in GuardRules.spendingCeiling(observation.pools, proposed: levels, limits: limits) {
            if let index = observation.pools.firstIndex(where: { $0.pool == intervention.pool }) {
                levels[index] = intervention.allowed
            }
            interventions.append(intervention)
        }
        return (levels, interventions)
    }

    /// The loop has been started again. Whether its last order went out is not known, so it may be given again.
    mutating func restart() {
        start = nil
        for name in pools.keys { pools[name]!.sent.at = .epoch }
    }

    /// Remembers that `replicas` were sent, to tell another's change from our own.
    mutating func recordSent(_ replicas: Int, generation: Int, to pool: PoolID, at now: Instant) {
        pools[pool.name]?.sent = Sent(replicas: replicas, generation: generation, at: now)
    }

    /// Whether this very level is on its way: sent lately, and not yet reported by the pool.
    func isUnderWay(_ level: Int, in pool: PoolObservation, at now: Instant) -> Bool {
        guard let sent = pools[pool.pool.name]?.sent else { return false }
        return sent.replicas == level && pool.appliedGeneration < sent.generation && now - sent.at <= limits.staleness
    }

    /// The highest level wanted within the stabilisation window.
    private mutating func remember(_ level: Int, of pool: PoolObservation, at now: Instant) -> Int {
        let name = pool.pool.name
        var memory =
            pools[name]
            ?? PoolMemory(sent: Sent(replicas: pool.target, generation: pool.appliedGeneration, at: now))
        defer { pools[name] = memory }
        return memory.wanted.add(level, at: now, window: limits.scaleInStabilization)
    }

    /// Until when the pool is left alone: it reports our generation or a later one, and not our level.
    private mutating func frozenUntil(_ pool: PoolObservation, at now: Instant) -> Instant? {
        guard var memory = pools[pool.pool.name] else { return nil }
        if pool.appliedGeneration >= memory.sent.generation && pool.target != memory.sent.replicas {
            memory.frozenUntil = now + limits.freeze
            // Their level is the one to start from; another change of theirs starts the freeze again.
            memory.sent = Sent(replicas: pool.target, generation: pool.appliedGeneration, at: now)
            pools[pool.pool.name] = memory
        }
        guard let until = memory.frozenUntil, now < until else { return nil }
        return until
    }
}
