import EngineModel
import FleetModel
import Units

/// The alarms one by one: each a pure function from what is seen to the alarm that it calls for, if any.
public enum AlarmRules {
    /// What the machines cost now would, for a day, be more than the budget; or it is close to the price ceiling.
    ///
    /// - Parameter costPerHour: Of all pools; `nil` when a price is unknown.
    public static func spendBurn(costPerHour: USD?, dailyBudget: USD?, ceiling: USDPerHour?) -> Alarm? {
        guard let cost = costPerHour else { return nil }
        if let dailyBudget, Int128(cost.nanodollars) * 24 > Int128(dailyBudget.nanodollars) {
            return Alarm(
                .spendBurn, "machines cost \(cost) USD an hour: a day of that is over the budget of \(dailyBudget) USD")
        }
        if let ceiling, Int128(cost.nanodollars) * 10 >= Int128(ceiling.nanodollars) * 9 {
            return Alarm(.spendBurn, "machines cost \(cost) USD an hour, of \(ceiling) that the ceiling allows")
        }
        return nil
    }

    /// A replica takes, or the last one took, longer to become ready than expected, by more than the share allowed.
    public static func coldStartDrift(
        _ pool: PoolID, replica: ReplicaID, took: TimeSpan, expected: TimeSpan, isReady: Bool, share: Double
    ) -> Alarm? {
        guard expected > .zero, took.seconds > expected.seconds * (1 + share) else { return nil }
        return Alarm(
            .coldStartDrift, pool: pool,
            isReady
                ? "replica \(replica) was ready after \(took); \(expected) is expected"
                : "replica \(replica) has been starting for \(took); \(expected) is expected")
    }

    /// The queue grew at every one of the last ticks while no more can be asked for: the level is at its most, or what was
    /// asked for is still on its way.
    ///
    /// - Parameter recent: The pool at the last ticks, oldest first.
    public static func queueDivergence(_ recent: [PoolObservation], ticks: Int) -> Alarm? {
        let seen = recent.suffix(ticks + 1)
        guard seen.count == ticks + 1, let first = seen.first, let last = seen.last else { return nil }
        let depths = seen.compactMap(\.queueDepth)
        guard depths.count == seen.count, zip(depths, depths.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        let isStuck = seen.allSatisfy { pool in
            pool.target >= pool.bounds.maximum || pool.starting > 0 || pool.reachedGeneration < pool.appliedGeneration
        }
        guard isStuck else { return nil }
        return Alarm(
            .queueDivergence, pool: last.pool,
            "\(depths.last!) requests wait, and \(depths[0]) did \(ticks) ticks ago"
                + (first.target >= last.bounds.maximum
                    ? ", with as many replicas as allowed" : ", while replicas start"))
    }

    /// The median gap between tokens is far above what the profile says of a step at the batch that runs.
    ///
    /// The batch is the running sequences of a replica, their context the mean prompt and half of the mean output. Steps that
    /// also read prompts take longer, and the factor must leave room for them: a median is mostly of others.
    public static func latencyDrift(
        _ pool: PoolObservation, stepTime: StepTimeCoefficients, factor: Double
    ) -> Alarm? {
        guard let itl = pool.itl, itl.count >= 100, let running = pool.runningSequences, pool.ready > 0,
            let offered = pool.offered, offered.requests >= 1
        else { return nil }
        let batch = max(1, running / Double(pool.ready - min(pool.missingReplicas, pool.ready - 1)))
        let context = (offered.promptTokens + offered.outputTokens / 2) / offered.requests
        func whole(_ value: Double) -> Int64 { Int64(min(value, 1e12).rounded(.up)) }
        let features = StepFeatures(decodeSequences: whole(batch), decodeContext: whole(batch * context))
        let expected = StepClock(stepTime).duration(of: features, noise: .none).seconds
        guard expected > 0, itl.p50 > factor * expected else { return nil }
        return Alarm(
            .latencyDrift, pool: pool.pool,
            "the median gap between tokens is \(milliseconds(itl.p50)), and the profile says \(milliseconds(expected)) at "
                + "\(features.decodeSequences) sequences a replica")
    }

    private static func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
}
