import EngineModel
import FleetModel
import Simulation
import Statistics
import Units

/// What keeps a run from its SLO, in words: which target of which class, and whether more replicas could help.
struct SizingLimits {
    private let result: RunResult
    private let scenario: Scenario

    init(_ result: RunResult, scenario: Scenario) {
        self.result = result
        self.scenario = scenario
    }

    var sentences: [String] {
        let missed = result.sloClasses.filter { !$0.isMet }
        return missed.flatMap(classLimits) + poolLimits(missed)
    }

    private func classLimits(_ entry: SLOClassResult) -> [String] {
        let sloClass = entry.sloClass
        let share = percent(sloClass.attainment)
        var list = ["\(sloClass.name) reaches \(percent(entry.attainment)) of \(share) on the scenario's own traffic"]
        let latencies = [("TTFT", sloClass.ttft, entry.ttft), ("TPOT", sloClass.tpot, entry.tpot)]
        for (name, target, histogram) in latencies {
            guard let target, let seen = histogram.quantile(sloClass.attainment), seen > target else { continue }
            list.append(
                "\(sloClass.name): \(share) of completed requests have a \(name) up to \(rounded(seen)), "
                    + "promised are \(target)")
        }
        return list
    }

    private func poolLimits(_ missed: [SLOClassResult]) -> [String] {
        var list: [String] = []
        for (pool, outcome) in zip(scenario.pools, result.pools) {
            if let hopeless = missed.first(where: { isBeyondOneReplica($0.sloClass, pool) }) {
                list.append(
                    "pool \(pool.id.name): even an idle replica misses a target of \(hopeless.sloClass.name) by its "
                        + "profile, so more replicas cannot help; choose a faster engine or a wider target")
            } else if outcome.maxReplicas >= pool.bounds.maximum {
                list.append(
                    "pool \(pool.id.name) stands at its largest size, \(pool.bounds.maximum): raise replicas.max")
            }
        }
        if result.outcomes.rejectedTooLong > 0 {
            list.append("\(result.outcomes.rejectedTooLong) requests are longer than the longest context")
        }
        if result.outcomes.rejectedQueueFull > 0 {
            list.append("\(result.outcomes.rejectedQueueFull) requests were refused because every queue was full")
        }
        if result.outcomes.failedTimeout > 0 {
            list.append("\(result.outcomes.failedTimeout) clients gave up")
        }
        return list
    }

    /// Whether the profile says that a mean request on an idle replica misses a target.
    private func isBeyondOneReplica(_ sloClass: SLOClass, _ pool: PoolConfiguration) -> Bool {
        // What a cached prompt takes, the profile alone does not tell.
        guard result.outcomes.completed > 0, !pool.batcher.prefixCaching else { return false }
        let capacity = ReplicaCapacity(
            stepTime: pool.profile.stepTime,
            limits: ReplicaLimits(
                kvTokens: Int64(pool.batcher.totalBlocks * pool.batcher.blockSize),
                maxSequences: Int64(pool.batcher.maxSequences),
                maxBatchedTokens: Int64(pool.batcher.maxBatchedTokens)),
            promptTokens: Double(result.promptTokens) / Double(result.outcomes.completed),
            outputTokens: Double(result.outputTokens) / Double(result.outcomes.completed))
        return capacity.largestRate(ttft: sloClass.ttft, tpot: sloClass.tpot, deviations: 0) == 0
    }

    private func rounded(_ span: TimeSpan) -> String {
        TimeSpan.milliseconds(Int64(span.milliseconds.rounded(.up))).description
    }
}
