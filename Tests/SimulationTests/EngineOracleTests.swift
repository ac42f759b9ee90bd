import FleetModel
import Testing
import Units

@testable import Simulation

@Suite struct EngineOracleTests {
    @Test func `the simulated engine equals a plain one to the nanosecond`() {
        var preemptions: Int64 = 0
        var timeouts = 0
        var caches: [PlainPrefixCache] = []
        for seed in 1...UInt64(1000) {
            let world = SmallWorld(seed: seed)
            let plain = world.playPlain()
            preemptions += plain.engine.preemptions
            timeouts += plain.records.count { $0.outcome == .failedTimeout }
            if plain.engine.cache.isOn { caches.append(plain.engine.cache) }
            guard let difference = difference(in: world) else { continue }
            let smallest = shrunk(world)
            Issue.record(
                """
                seed \(seed): \(difference)
                smallest: \(self.difference(in: smallest) ?? "")
                limits \(smallest.limits)
                \(smallest.requests.map { "\($0)" }.joined(separator: "\n"))
                scrapes \(smallest.scrapes.map(\.nanoseconds))
                """)
            return
        }
        // The worlds are only worth something while they reach the rare paths.
        #expect(preemptions > 100)
        #expect(timeouts > 100)
        #expect(caches.count { $0.hits > 0 } > 200)
        #expect(caches.count { $0.evictions > 0 } > 200)
        #expect(caches.count { $0.duplicates > 0 } > 100)
        #expect(caches.count { $0.preemptedHits > 0 } > 50)
        #expect(caches.count { $0.cancelledHits > 0 } > 50)
    }

    @Test func `looking at an engine changes nothing it does`() {
        for seed in 1...UInt64(200) {
            var world = SmallWorld(seed: seed)
            let seen = world.playSimulated()
            world.scrapes = []
            let unseen = world.playSimulated()
            #expect(seen.records == unseen.records, "seed \(seed)")
            #expect(seen.gaps.count == unseen.gaps.count, "seed \(seed)")
        }
    }

    /// What the two engines disagree on first; `nil` when they agree.
    private func difference(in world: SmallWorld) -> String? {
        let (records, plain) = world.playPlain()
        let fast = world.playSimulated()
        for (id, (want, got)) in zip(records, fast.records).enumerated() where want != got {
            return "request \(id): plain \(want), simulated \(got)"
        }
        let counters = fast.engine.counters
        if plain.stepCount != counters.steps {
            return "steps: plain \(plain.stepCount), simulated \(counters.steps)"
        }
        if plain.tokens != counters.generatedTokens || plain.gaps.count != fast.gaps.count {
            return "tokens: plain \(plain.tokens), \(plain.gaps.count) gaps; "
                + "simulated \(counters.generatedTokens), \(fast.gaps.count) gaps"
        }
        if plain.preemptions != counters.preemptions {
            return "preemptions: plain \(plain.preemptions), simulated \(counters.preemptions)"
        }
        if let counts = fast.engine.prefixCache,
            counts.queries != plain.cache.queries || counts.hits != plain.cache.hits
        {
            return "prefix cache: plain \(plain.cache.hits) of \(plain.cache.queries), simulated \(counts)"
        }
        let busy = fast.engine.busy(at: fast.end)
        if plain.busy(at: fast.end) != busy {
            return "busy: plain \(plain.busy(at: fast.end)), simulated \(busy)"
        }
        if fast.engine.batcher.freeBlocks != world.limits.totalBlocks { return "blocks were lost" }
        if fast.engine.outstanding != 0 { return "\(fast.engine.outstanding) outstanding at the end" }
        return nil
    }

    /// The world without every request and every look that the difference does not need.
    private func shrunk(_ world: SmallWorld) -> SmallWorld {
        var smallest = world
        for index in world.requests.indices.reversed() {
            var smaller = smallest
            smaller.requests.remove(at: index)
            if difference(in: smaller) != nil { smallest = smaller }
        }
        for index in world.scrapes.indices.reversed() {
            var smaller = smallest
            smaller.scrapes.remove(at: index)
            if difference(in: smaller) != nil { smallest = smaller }
        }
        return smallest
    }
}
