import FleetModel
import Foundation
import Pricing
import Serving
import Testing
import Units

@testable import Simulation

/// Nothing is lost and nothing appears: requests, tokens, KV blocks, machine time and money, in scenarios of any kind.
///
/// Two hundred scenarios here; `TIDEGATE_SCENARIOS=10000 swift test --filter ConservationTests` plays more.
@Suite struct ConservationTests {
    static let count = ProcessInfo.processInfo.environment["TIDEGATE_SCENARIOS"].flatMap { Int($0) } ?? 200

    @Test func `random scenarios conserve requests, tokens, blocks, time and money`() throws {
        var seen = OutcomeCounts()
        var changes: Int64 = 0
        var preemptions: Int64 = 0
        var cached = PrefixCacheCounts()
        for seed in 0..<UInt64(Self.count) {
            let random = RandomScenario(seed: seed)
            var world = try FleetWorld(
                random.scenario, policy: random.policy, options: RunOptions(threads: 1 + Int(seed % 2)))
            world.run(progress: nil)
            // Engines that are still there hold nothing: every block is free again and every request has its end.
            for pool in world.pools {
                for position in pool.alive {
                    let engine = pool.replicas[position]!.engine
                    #expect(engine.batcher.freeBlocks == pool.configuration.batcher.totalBlocks, "seed \(seed)")
                    #expect(engine.outstanding == 0 && engine.batcher.runningCount == 0, "seed \(seed)")
                }
            }
            let result = try world.result()
            check(result, seed: seed)
            changes += result.scaling.changes
            preemptions += result.preemptions!
            for counts in result.pools.compactMap(\.prefixCache) {
                #expect(counts.hits <= counts.queries, "seed \(seed)")
                cached += counts
            }
            seen.rejectedQueueFull += result.outcomes.rejectedQueueFull
            seen.rejectedTooLong += result.outcomes.rejectedTooLong
            seen.failedTimeout += result.outcomes.failedTimeout
            seen.unfinished += result.outcomes.unfinished
            seen.failedReplicaLost += result.outcomes.failedReplicaLost
        }
        // The scenarios are only worth something while they reach every way out.
        #expect(seen.rejectedQueueFull > 100 && seen.rejectedTooLong > 100)
        #expect(seen.failedTimeout > 100 && seen.failedReplicaLost > 10)
        #expect(seen.unfinished > 10)
        #expect(changes > 200 && preemptions > 10)
        #expect(cached.hits > 1_000_000 && cached.queries > 2 * cached.hits)
    }

    private func check(_ result: RunResult, seed: UInt64) {
        let outcomes = result.outcomes
        #expect(outcomes.sum == outcomes.arrived, "seed \(seed)")
        #expect(result.tenants.reduce(0) { $0 + $1.outcomes.sum } == outcomes.sum, "seed \(seed)")
        #expect(result.sloClasses.reduce(0) { $0 + $1.arrived } == outcomes.arrived, "seed \(seed)")
        #expect(result.tenants.reduce(0) { $0 + $1.met } == result.sloClasses.reduce(0) { $0 + $1.met })
        #expect(result.requestNanoseconds == result.sojournNanoseconds, "seed \(seed)")
        #expect(result.tenants.reduce(0) { $0 + $1.promptTokens } == result.promptTokens)
        #expect(result.tenants.reduce(0) { $0 + $1.outputTokens } == result.outputTokens)
        // What is used is at most what was served: the bill ends with the traffic.
        let used = result.usage.reduce(0) { $0 + $1.outputTokens.reduce(0, +) }
        #expect(used <= result.outputTokens, "seed \(seed)")
        #expect(result.timeline.reduce(0) { $0 + $1.arrived } == outcomes.arrived, "seed \(seed)")
        #expect(Int64(result.e2e.count) == outcomes.completed && Int64(result.ttft.count) == outcomes.completed)
        for record in result.usage {
            let known = record.busy + record.idle + record.starting + record.draining
            #expect(record.start <= record.end && record.launched <= record.start)
            #expect(known <= (record.end - record.start) * Int64(record.slots), "seed \(seed)")
        }
        #expect(result.bill.lines.reduce(USD.zero) { $0 + $1.cost } == result.bill.total, "seed \(seed)")
        #expect(result.bill.split.tenants.reduce(result.bill.overhead, +) == result.bill.total, "seed \(seed)")
    }
}
