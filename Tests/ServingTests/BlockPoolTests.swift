import FleetModel
import Testing

@testable import Serving

/// Two batchers that are told the same: one counts contents, the other numbers blocks.
private struct Pair {
    let limits: BatcherConfiguration
    var counting: Batcher
    var numbered: Batcher
    var draws: Draws
    /// The sequences inside, in order of their last admission; the waiting ones last.
    var order: [SequenceSlot] = []
    var outputs: [SequenceSlot: Int] = [:]

    init(seed: UInt64, prefixCaching: Bool) {
        draws = Draws(state: seed)
        let blocks = draws.pick(15...40)
        limits = BatcherConfiguration(
            maxBatchedTokens: draws.pick(8...60), maxSequences: draws.pick(2...7), blockSize: 4, totalBlocks: blocks,
            maxContext: 60, prefixCaching: prefixCaching)
        counting = Batcher(configuration: limits)
        numbered = Batcher(configuration: limits, numbered: true)
    }

    /// Prompts of a few conversations behind a few shared texts; the answer belongs to its conversation.
    mutating func submit() {
        let shared = draws.pick(0...2)
        let (sharedTokens, prompt) = (shared * 5, draws.pick(12...50))
        let content = PromptContent(
            shared: UInt64(shared), sharedTokens: sharedTokens, own: UInt64(shared * 10 + draws.pick(1...4)))
        let names = (0..<(60 / limits.blockSize)).map { index in
            let isShared = (index + 1) * limits.blockSize <= sharedTokens
            return BlockName(
                high: isShared ? content.shared : content.own, low: UInt64(isShared ? 1000 + index : index))
        }
        let priority = draws.pick(0...1)
        let slot = counting.submit(promptTokens: prompt, priority: priority, content: content)
        let known = limits.prefixCaching ? prompt / limits.blockSize : 0
        let same = numbered.submit(
            promptTokens: prompt, priority: priority, maxTokens: 60, names: Array(names.prefix(known)))
        precondition(slot == same, "both use slots alike")
        if limits.prefixCaching { for name in names.dropFirst(known) { numbered.append(name, to: slot) } }
        outputs[slot] = draws.pick(1...(60 - prompt))
        order.append(slot)
    }

    /// Takes out what has all its tokens, and a few others, as a world does between two steps.
    mutating func remove() {
        for slot in order {
            let isDone = counting.generatedTokens(of: slot) >= outputs[slot]! && !counting.isWaiting(slot)
            guard isDone || draws.pick(0...60) == 0 else { continue }
            counting.cancel(slot)
            numbered.cancel(slot)
            order.removeAll { $0 == slot }
        }
    }

    mutating func plan() -> (counting: StepPlan, numbered: StepPlan) {
        let plans = (counting.nextStep(limit: 1), numbered.nextStep())
        let moved = counting.preempted + counting.admitted
        order = order.filter { !moved.contains($0) } + counting.preempted + counting.admitted
        return plans
    }
}

@Suite struct BlockPoolTests {
    @Test func `numbered blocks follow the plans that counts of contents make`() throws {
        var (hits, preemptions, evictions) = (0, 0, 0)
        for seed in 1...UInt64(80) {
            var pair = Pair(seed: seed, prefixCaching: seed % 8 != 0)
            for _ in 0..<150 {
                if pair.draws.pick(0...2) > 0 { pair.submit() }
                pair.remove()
                let known = pair.numbered.pool!.evictable
                let plans = pair.plan()
                try #require(plans.counting == plans.numbered, "seed \(seed)")
                try #require(pair.counting.admitted == pair.numbered.admitted, "seed \(seed)")
                try #require(pair.counting.preempted == pair.numbered.preempted, "seed \(seed)")
                try #require(pair.counting.freeBlocks == pair.numbered.freeBlocks, "seed \(seed)")
                preemptions += pair.numbered.preempted.count
                if pair.numbered.pool!.evictable < known { evictions += 1 }
                try checkBlocks(of: pair, "seed \(seed)")
                guard !plans.counting.isEmpty else { continue }
                pair.counting.advance(steps: 1)
                pair.numbered.advance(steps: 1)
            }
            #expect(pair.counting.prefixCache == pair.numbered.prefixCache, "seed \(seed)")
            hits += Int(pair.numbered.prefixCache?.hits ?? 0)
            for slot in pair.order { pair.numbered.cancel(slot) }
            #expect(pair.numbered.freeBlocks == pair.limits.totalBlocks, "seed \(seed)")
        }
        #expect(hits > 10_000 && preemptions > 100 && evictions > 100, "\(hits) \(preemptions) \(evictions)")
    }

    /// Each sequence has blocks for all it is given to compute, nobody computes into a block that another one holds, and
    /// every block is held or free.
    private func checkBlocks(of pair: Pair, _ seed: Comment) throws {
        var holders: [Int: Int] = [:]
        for slot in pair.order {
            let blocks = pair.numbered.blocks(of: slot)
            try #require(Set(blocks).count == blocks.count && (pair.numbered.isWaiting(slot) == blocks.isEmpty), seed)
            for block in blocks { holders[block, default: 0] += 1 }
        }
        if pair.counting.runningCount > 0 {
            pair.numbered.forEachScheduled { slot, start, count, _ in
                let blocks = pair.numbered.blocks(of: slot)
                #expect(blocks.count >= pair.limits.blocks(for: start + count), seed)
                for index in (start / 4)...((start + count - 1) / 4) { #expect(holders[blocks[index]] == 1, seed) }
            }
        }
        try #require(holders.count + pair.numbered.freeBlocks == pair.limits.totalBlocks, seed)
    }

    @Test func `what is not numbered is freed at the next step, what is numbered at once`() {
        var batcher = Batcher(
            configuration: BatcherConfiguration(
                maxBatchedTokens: 64, maxSequences: 4, blockSize: 4, totalBlocks: 20, maxContext: 60,
                prefixCaching: true), numbered: true)
        let names = (0..<3).map { BlockName(high: 1, low: UInt64($0)) }
        let slot = batcher.submit(promptTokens: 14, maxTokens: 20, names: names)
        _ = batcher.nextStep()
        batcher.advance(steps: 1)
        #expect(batcher.freeBlocks == 16)
        batcher.finish(slot)
        #expect(batcher.freeBlocks == 20 && batcher.pool!.evictable == 3)
    }
}
