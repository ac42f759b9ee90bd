import FleetModel
import Scaling
import Units

/// The guards one by one: each a pure function from a pool and a proposed level to the intervention it calls for, if any.
enum GuardRules {
    /// The scenario's least and most.
    static func bounds(_ pool: PoolObservation, proposed: Int) -> GuardIntervention? {
        intervention(
            .bounds, pool, proposed, allowed: pool.bounds.clamp(proposed),
            "bounds are \(pool.bounds.minimum) to \(pool.bounds.maximum)")
    }

    /// So many added or removed in one tick.
    static func stepLimit(_ pool: PoolObservation, proposed: Int, limits: GuardLimits) -> GuardIntervention? {
        let most = limits.maximumAdded.map { pool.target + max(1, $0) } ?? .max
        let least = limits.maximumRemoved.map { pool.target - max(1, $0) } ?? .min
        return intervention(
            .stepLimit, pool, proposed, allowed: min(max(proposed, least), most),
            "a tick may add \(limits.maximumAdded.map(String.init) ?? "any number") and remove "
                + "\(limits.maximumRemoved.map(String.init) ?? "any number")")
    }

    /// So many draining at a time. Replicas that are still starting go first and disturb nobody.
    static func disruptionBudget(_ pool: PoolObservation, proposed: Int, limits: GuardLimits) -> GuardIntervention? {
        guard let most = limits.maximumDraining, proposed < pool.target else { return nil }
        let removable = pool.starting + max(0, max(1, most) - pool.draining)
        return intervention(
            .disruptionBudget, pool, proposed, allowed: max(proposed, pool.target - removable),
            "\(pool.draining) draining of \(most) allowed")
    }

    /// Nothing is removed on stale, missing or partial data: a fleet that cannot be seen is not idle.
    static func incompleteData(_ pool: PoolObservation, proposed: Int, limits: GuardLimits) -> GuardIntervention? {
        let lack: String
        if pool.missingReplicas > 0 {
            lack = "\(pool.missingReplicas) of \(pool.ready) ready replicas did not report"
        } else if pool.doubtful > 0 {
            lack = "\(pool.doubtful) replicas or gateways did not report, stand still or have just started again"
        } else if pool.queueDepth == nil {
            lack = "the queue is unknown"
        } else if pool.ready > 0 && pool.runningSequences == nil {
            lack = "running sequences are unknown"
        } else if let age = pool.sampleAge {
            guard age > limits.staleness else { return nil }
            lack = "the oldest sample is \(age) old"
        } else {
            lack = "there is no sample"
        }
        return noScaleIn(.incompleteData, pool, proposed, lack)
    }

    /// A loop that has just started has seen nothing yet.
    static func restart(
        _ pool: PoolObservation, proposed: Int, limits: GuardLimits, since start: Instant, at now: Instant
    ) -> GuardIntervention? {
        guard now - start < limits.restartWindow else { return nil }
        return noScaleIn(.restart, pool, proposed, "the loop started \(now - start) ago")
    }

    /// Nothing is removed below the highest level wanted of late.
    static func stabilization(
        _ pool: PoolObservation, proposed: Int, highest: Int, limits: GuardLimits
    ) -> GuardIntervention? {
        guard proposed < pool.target else { return nil }
        return intervention(
            .stabilization, pool, proposed, allowed: min(pool.target, max(proposed, highest)),
            "\(highest) wanted within \(limits.scaleInStabilization)")
    }

    /// Nothing is added while a tenant's excess may be in the queue: it is not demand that anyone wants to pay for.
    static func tenantAbuse(_ pool: PoolObservation, proposed: Int) -> GuardIntervention? {
        guard let tenants = pool.excessTenants, tenants > 0 else { return nil }
        return intervention(
            .tenantAbuse, pool, proposed, allowed: min(proposed, max(pool.target, pool.bounds.minimum)),
            "\(tenants) tenants bring far more than they usually do")
    }

    /// A pool that someone else has changed is left as it is for a while.
    static func foreignChange(_ pool: PoolObservation, proposed: Int, frozenUntil: Instant) -> GuardIntervention? {
        intervention(
            .foreignChange, pool, proposed, allowed: pool.target,
            "someone else set \(pool.target); left alone until \(frozenUntil)")
    }

    /// Levels, one per pool, whose hourly cost stays under the ceiling.
    ///
    /// Increases are taken back, the last pool's first; nothing that runs is removed, because a budget is no reason to
    /// drop requests. An increase at an unknown price is refused: it cannot be shown to fit.
    static func spendingCeiling(
        _ pools: [PoolObservation], proposed: [Int], limits: GuardLimits
    ) -> [GuardIntervention] {
        guard let ceiling = limits.spendingCeiling else { return [] }
        var levels = proposed
        var interventions: [GuardIntervention] = []
        for index in pools.indices.reversed() where levels[index] > pools[index].target {
            let pool = pools[index]
            while levels[index] > pool.target, !fits(pools, levels, under: ceiling) { levels[index] -= 1 }
            if let changed = intervention(
                .spendingCeiling, pool, proposed[index], allowed: levels[index],
                "the ceiling is \(ceiling) USD per hour")
            {
                interventions.append(changed)
            }
        }
        return interventions
    }

    /// Draining replicas are still paid for.
    private static func fits(_ pools: [PoolObservation], _ levels: [Int], under ceiling: USDPerHour) -> Bool {
        var total = Int128(0)
        for (pool, level) in zip(pools, levels) where level + pool.draining > 0 {
            guard let cost = pool.costPerHour(replicas: level + pool.draining) else { return false }
            total += Int128(cost.nanodollars)
        }
        return total <= Int128(ceiling.nanodollars)
    }

    private static func noScaleIn(
        _ rule: GuardRule, _ pool: PoolObservation, _ proposed: Int, _ reason: @autoclosure () -> String
    ) -> GuardIntervention? {
        intervention(rule, pool, proposed, allowed: max(proposed, min(pool.target, pool.bounds.maximum)), reason())
    }

    private static func intervention(
        _ rule: GuardRule, _ pool: PoolObservation, _ proposed: Int, allowed: Int, _ reason: @autoclosure () -> String
    ) -> GuardIntervention? {
        guard allowed != proposed else { return nil }
        return GuardIntervention(rule: rule, pool: pool.pool, proposed: proposed, allowed: allowed, reason: reason())
    }
}
