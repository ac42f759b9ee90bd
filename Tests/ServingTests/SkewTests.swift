import EngineModel
import Serving
import Testing

@Suite struct SkewTests {
    private static let limits = BatcherConfiguration(
        maxBatchedTokens: 64, maxSequences: 6, blockSize: 4, totalBlocks: 40, maxContext: 60)

    @Test func `skew is what the batch falls short of one of equal contexts, through joins, ends and preemptions`() {
        var preemptions = 0
        for seed in 1...UInt64(40) {
            var draws = Draws(state: seed)
            var batcher = Batcher(configuration: Self.limits, tracksSkew: true)
            var inside: [SequenceSlot] = []
            for _ in 0..<120 {
                if draws.pick(0...1) == 0 { inside.append(batcher.submit(promptTokens: draws.pick(1...30))) }
                // Those that might outgrow their context end, and some others.
                for slot in inside where batcher.isDecoding(slot) {
                    if batcher.context(of: slot) > 50 || draws.pick(0...15) == 0 {
                        batcher.finish(slot)
                        inside.removeAll { $0 == slot }
                    }
                }
                let plan = batcher.nextStep(limit: 1)
                preemptions += batcher.preempted.count
                guard !plan.isEmpty else { continue }
                let contexts = inside.filter { batcher.isDecoding($0) }.map { Int64(batcher.context(of: $0)) }
                let expected = (contexts.max() ?? 0) * Int64(contexts.count) - contexts.reduce(0, +)
                #expect(plan.features.decodeSkew == expected, "seed \(seed)")
                batcher.advance(steps: 1)
            }
        }
        #expect(preemptions > 100)
    }

    @Test func `nobody pays for skew who does not ask`() {
        var batcher = Batcher(configuration: Self.limits)
        _ = batcher.submit(promptTokens: 20)
        _ = batcher.submit(promptTokens: 3)
        _ = batcher.nextStep()
        batcher.advance(steps: 1)
        #expect(batcher.nextStep().features.decodeSkew == 0)
    }

    @Test func `a run of equal steps with skew is the sum of its steps`() {
        let clock = StepClock(
            StepTimeCoefficients(
                decode: .init(constant: 1000, perSequence: 10, perContextToken: 3, perSkewToken: 0.7),
                mixed: .init(constant: 2000, perPrefillToken: 5)))
        #expect(clock.needsSkew)
        let first = StepFeatures(decodeSequences: 3, decodeContext: 100, decodeSkew: 80)
        var sum = FineTime(units: 0)
        for step in 0..<Int64(20) {
            var features = first
            features.decodeContext += 3 * step
            sum += clock.duration(of: features, noise: .none)
        }
        #expect(clock.run(from: first, noise: .none).duration(of: 20) == sum)
        var even = first
        even.decodeSkew = 0
        let apart = clock.duration(of: first, noise: .none) - clock.duration(of: even, noise: .none)
        #expect(abs(apart.seconds - 80 * 0.7e-9) < 1e-12)
    }

    @Test func `a retired sequence has no step but keeps its seat and blocks until it is finished`() {
        let limits = BatcherConfiguration(
            maxBatchedTokens: 64, maxSequences: 1, blockSize: 4, totalBlocks: 10, maxContext: 40)
        var batcher = Batcher(configuration: limits)
        let first = batcher.submit(promptTokens: 9)
        let second = batcher.submit(promptTokens: 8)
        _ = batcher.nextStep()
        batcher.advance(steps: 1)
        batcher.retire(first)
        #expect(!batcher.isDecoding(first))
        // Its seat is the only one, so the other waits, and nothing runs.
        #expect(batcher.nextStep().isEmpty)
        #expect(batcher.freeBlocks == 7 && batcher.isWaiting(second))
        batcher.finish(first)
        #expect(batcher.freeBlocks == 10)
        let plan = batcher.nextStep()
        #expect(plan.features.prefillTokens == 8 && plan.features.decodeSequences == 0)
    }
}
