import EngineModel
import FleetModel
import Pricing
import Serving
import Statistics
import Units

extension FleetWorld {
    /// What the run yields, once it has ended.
    consuming func result() throws(SimulationError) -> RunResult {
        for pool in pools {
            if let failure = pool.traffic.failure {
                let traces = scenario.traces.filter { $0.pool == pool.id }
                throw .trace(name: traces[failure.trace].name, failure.reason)
            }
        }
        let bill: Bill
        do {
            bill = try Bill(
                usage: usage, book: scenario.priceBook, tenants: scenario.tenants, weights: scenario.allocation)
        } catch {
            throw .pricing(error)
        }
        var whole = wholeFingerprint
        for line in bill.lines { whole.combine(line.cost.nanodollars) }
        var tally = pools[0].tally
        for pool in pools.dropFirst() { tally.merge(pool.tally) }
        var ttft = LatencyHistogram()
        var tpot = LatencyHistogram()
        for sloClass in tally.sloClasses {
            ttft.merge(sloClass.ttft)
            tpot.merge(sloClass.tpot)
        }
        return RunResult(
            scenario: scenario.name, policy: policyLabel, policyFile: policyFile, seed: scenario.seed,
            replication: options.replication, plantFactor: options.plantFactor, start: start,
            duration: horizon - start, stoppedAt: stoppedAt, planned: scenario.duration,
            lastEnd: tally.lastChange - start, outcomes: tally.outcomes, tenants: tally.tenants,
            sloClasses: tally.sloClasses, promptTokens: tally.promptTokens, outputTokens: tally.outputTokens,
            ttft: ttft, itl: tally.itl, tpot: tpot, e2e: tally.e2e, queueWait: tally.queueWait,
            batches: tally.batches, preemptions: pools.reduce(0) { $0 + $1.preemptions },
            pools: pools.map { poolResult($0) },
            scaling: decisions.counts, decisions: decisions.entries, timeline: timeline, usage: usage, bill: bill,
            requestNanoseconds: tally.requestNanoseconds, sojournNanoseconds: tally.sojournNanoseconds,
            fingerprint: whole.hexadecimal, checkpoints: checkpoints, record: nil, warnings: warnings())
    }

    private func poolResult(_ pool: SimulatedPool) -> PoolResult {
        PoolResult(
            id: pool.id,
            meanReplicas: Double(pool.replicaNanoseconds) / Double((horizon - start).nanoseconds),
            maxReplicas: pool.maxReplicas, steps: pool.totalSteps, busy: pool.busyAtHorizon,
            prefixCache: pool.prefixCache)
    }

    /// What a reader must know before believing the figures.
    private func warnings() -> [String] { pools.flatMap { refusals(by: $0) + excesses(of: $0) } }

    private func refusals(by pool: SimulatedPool) -> [String] {
        let outcomes = pool.tally.outcomes
        let limits = pool.configuration
        return [
            (
                outcomes.rejectedTooLong,
                "have a prompt of \(limits.batcher.maxContext) tokens or more and were rejected: the engine's longest context"
            ),
            (
                outcomes.rejectedQueueFull,
                "were rejected because every replica had \(limits.maxWaitingPerReplica) waiting"
            ),
        ].compactMap { count, what in
            count == 0 ? nil : "pool '\(pool.id)': \(count) of \(outcomes.arrived) requests \(what)"
        }
    }

    /// How far a pool left the range that its profile was measured in.
    private func excesses(of pool: SimulatedPool) -> [String] {
        let valid = pool.configuration.profile.validRange
        let reach = pool.widestReach
        return [
            (reach.decodeSequences, valid.decodeSequences, "sequences decoding at once"),
            (reach.decodeContext, valid.decodeContext, "KV tokens read in a step"),
            (reach.prefillTokens, valid.prefillTokens, "prompt tokens in a step"),
            (reach.prefillContext, valid.prefillContext, "KV tokens behind a prompt's chunk"),
        ].compactMap { seen, measured, what in
            guard seen > measured else { return nil }
            return "pool '\(pool.id)' reached \(seen) \(what); its profile was measured up to \(measured), and beyond "
                + "that its formula is extended, untested"
        }
    }
}

extension SimulatedPool {
    var preemptions: Int64 { alive.reduce(endedPreemptions) { $0 + replicas[$1]!.engine.counters.preemptions } }

    /// What prompts found in the caches of all replicas; `nil` where the pool has none.
    var prefixCache: PrefixCacheCounts? {
        guard configuration.batcher.prefixCaching else { return nil }
        return alive.reduce(into: endedPrefixCache) { sum, position in
            if let counts = replicas[position]!.engine.prefixCache { sum += counts }
        }
    }

    var totalSteps: Int64 { alive.reduce(endedSteps) { $0 + replicas[$1]!.engine.counters.steps } }

    var widestReach: ValidRange {
        var pool = self
        for position in alive { pool.widen(replicas[position]!.engine.counters.reach) }
        return pool.reach
    }
}
