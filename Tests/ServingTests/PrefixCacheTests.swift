import EngineModel
import FleetModel
import Testing

@testable import Serving

/// One batcher with a prefix cache, blocks of four tokens and steps wide enough for every prompt.
private struct Replica {
    var batcher: Batcher

    init(blocks: Int = 20, budget: Int = 100, sequences: Int = 8) {
        batcher = Batcher(
            configuration: BatcherConfiguration(
                maxBatchedTokens: budget, maxSequences: sequences, blockSize: 4, totalBlocks: blocks,
                maxContext: blocks * 4, prefixCaching: true))
    }

    /// Blocks that no sequence ever names: never used, or given back without a name.
    var unnamed: Int { batcher.freeBlocks - batcher.cache!.evictableBlocks }

    mutating func step() {
        _ = batcher.nextStep()
        batcher.advance(steps: 1)
    }

    /// Serves a request alone, to the end of its prompt and of `output` tokens.
    mutating func serve(_ prompt: Int, output: Int = 1, _ content: PromptContent) {
        let slot = batcher.submit(promptTokens: prompt, content: content)
        repeat { step() } while batcher.generatedTokens(of: slot) < output
        batcher.finish(slot)
        _ = batcher.nextStep()
    }

    /// Tokens that a request finds computed when it is admitted.
    mutating func found(_ prompt: Int, _ content: PromptContent) -> Int {
        let before = batcher.prefixCache!.hits
        serve(prompt, content)
        return Int(batcher.prefixCache!.hits - before)
    }
}

@Suite struct PrefixCacheTests {
    private let chat = PromptContent(own: 1)

    @Test func `a prompt finds the whole blocks that an earlier one left`() {
        var replica = Replica()
        replica.serve(14, chat)
        // Three whole blocks of fourteen tokens; the rest of the fourth has no name.
        #expect(replica.batcher.cache!.evictableBlocks == 3)
        let slot = replica.batcher.submit(promptTokens: 30, content: chat)
        let plan = replica.batcher.nextStep()
        #expect(plan.features.prefillTokens == 18 && plan.features.prefillContext == 12)
        replica.batcher.forEachScheduled { _, start, count, _ in #expect(start == 12 && count == 18) }
        // Of the eight blocks for 30 tokens, three are found.
        #expect(replica.batcher.freeBlocks == 20 - 8)
        replica.batcher.advance(steps: 1)
        #expect(replica.batcher.context(of: slot) == 30)
        #expect(replica.batcher.prefixCache!.queries == 44 && replica.batcher.prefixCache!.hits == 12)
    }

    @Test func `at least one token of a prompt is computed`() {
        var replica = Replica()
        replica.serve(17, chat)
        #expect(replica.found(16, chat) == 12)
        #expect(replica.found(17, chat) == 16)
    }

    @Test func `an answer is found once its sequence has left`() {
        var replica = Replica()
        let slot = replica.batcher.submit(promptTokens: 6, content: chat)
        for _ in 0..<7 { replica.step() }
        // Twelve tokens are computed, and the prompt's one whole block has a name.
        #expect(replica.batcher.context(of: slot) == 12 && replica.batcher.cache!.heldBlocks == 1)
        replica.batcher.finish(slot)
        #expect(replica.found(20, chat) == 12)
    }

    @Test func `a chunk is found when its step has run, and not in that step`() {
        var replica = Replica(budget: 8)
        _ = replica.batcher.submit(promptTokens: 24, content: chat)
        replica.step()
        #expect(replica.batcher.cache!.heldBlocks == 2)
        replica.step()
        #expect(replica.batcher.cache!.heldBlocks == 4)
        var other = Replica()
        _ = other.batcher.submit(promptTokens: 9, content: chat)
        _ = other.batcher.submit(promptTokens: 9, content: chat)
        #expect(other.batcher.nextStep().features.prefillTokens == 18)
        #expect(other.batcher.prefixCache!.hits == 0)
    }

    @Test func `the least recently released goes first, and of one sequence its tail`() {
        var replica = Replica(blocks: 12)
        let (old, new) = (PromptContent(own: 1), PromptContent(own: 2))
        replica.serve(17, old)
        replica.serve(17, new)
        // Four free blocks without a name, eight with one. Six are needed: two of the old conversation's tail go.
        #expect(replica.unnamed == 4)
        replica.serve(23, .none)
        #expect(replica.batcher.cache!.evictableBlocks == 6)
        // Looking without admitting: a prompt that would not fit tells nothing, so ask each in a copy.
        var copy = replica
        #expect(copy.found(17, old) == 8)
        copy = replica
        #expect(copy.found(17, new) == 16)
        // Used again, the old one is the newer.
        replica.serve(9, old)
        replica.serve(27, .none)
        copy = replica
        #expect(copy.found(17, old) == 8)
        copy = replica
        #expect(copy.found(17, new) == 12)
    }

    @Test func `a shared text outlives what follows it`() {
        var replica = Replica(blocks: 6)
        let content = PromptContent(shared: 7, sharedTokens: 9, own: 1)
        replica.serve(17, content)
        #expect(replica.batcher.cache!.evictableBlocks == 4)
        replica.serve(13, .none)
        #expect(replica.batcher.cache!.evictableBlocks == 2)
        // Another conversation behind the same text finds its two whole blocks, and not the third, which is mixed.
        #expect(replica.found(17, PromptContent(shared: 7, sharedTokens: 9, own: 2)) == 8)
    }

    @Test func `what two computed at the same time is kept once`() {
        var replica = Replica()
        let first = replica.batcher.submit(promptTokens: 12, content: chat)
        let second = replica.batcher.submit(promptTokens: 10, content: chat)
        _ = replica.batcher.nextStep()
        #expect(replica.batcher.freeBlocks == 20 - 6)
        replica.batcher.advance(steps: 1)
        // Three blocks of the first, two of them the second's too, and the second's last, which is not whole.
        #expect(replica.batcher.freeBlocks == 20 - 4)
        #expect(replica.batcher.cache!.heldBlocks == 3)
        replica.batcher.finish(first)
        replica.step()
        // The second still holds two of them, has one of its own, and no more: its context is eleven.
        #expect(replica.batcher.cache!.heldBlocks == 2 && replica.batcher.cache!.evictableBlocks == 1)
        #expect(replica.batcher.context(of: second) == 11 && replica.batcher.freeBlocks == 20 - 3)
    }

    @Test func `a preempted sequence finds its own blocks`() {
        var replica = Replica(blocks: 6)
        let high = replica.batcher.submit(promptTokens: 8, content: PromptContent(own: 1))
        let low = replica.batcher.submit(promptTokens: 12, priority: 1, content: PromptContent(own: 2))
        replica.step()
        // Both need a block and one is free: the high one takes it, then one of those that the low one left.
        _ = replica.batcher.nextStep()
        #expect(replica.batcher.preempted == [low])
        replica.batcher.advance(steps: 1)
        replica.batcher.finish(high)
        let plan = replica.batcher.nextStep()
        #expect(replica.batcher.admitted == [low])
        #expect(plan.features.prefillTokens == 1 && plan.features.prefillContext == 12)
        // It had been asked for when it was admitted first.
        #expect(replica.batcher.prefixCache!.queries == 20 && replica.batcher.prefixCache!.hits == 0)
    }

    @Test func `a held block is never evicted, and one that is found is not free`() {
        var replica = Replica(blocks: 6)
        replica.serve(17, chat)
        // Six blocks for 23 tokens: four are found, so two more are needed and there are two.
        let slot = replica.batcher.submit(promptTokens: 23, content: chat)
        _ = replica.batcher.nextStep()
        #expect(replica.batcher.admitted == [slot] && replica.batcher.freeBlocks == 0)
        replica.batcher.advance(steps: 1)
        _ = replica.batcher.submit(promptTokens: 3)
        #expect(replica.batcher.admitsMore)
        replica.batcher.cancel(slot)
        _ = replica.batcher.nextStep()
        // Six free blocks, all with a name: one of them goes for the three tokens.
        #expect(replica.batcher.freeBlocks == 5 && replica.batcher.cache!.heldBlocks == 0)
    }

    @Test func `without a content nothing is found and nothing is kept`() {
        var replica = Replica()
        replica.serve(17, .none)
        #expect(replica.unnamed == 20)
        #expect(replica.found(17, .none) == 0)
        replica.serve(17, PromptContent(shared: 3, sharedTokens: 11))
        // The shared text is kept, and what follows it is nobody else's.
        #expect(replica.batcher.cache!.evictableBlocks == 2)
    }

    @Test func `sequences that leave at one boundary leave in order of admission`() {
        func tail(_ order: (SequenceSlot, SequenceSlot) -> [SequenceSlot]) -> Int {
            var replica = Replica(blocks: 8)
            let first = replica.batcher.submit(promptTokens: 13, content: PromptContent(own: 1))
            let second = replica.batcher.submit(promptTokens: 13, content: PromptContent(own: 2))
            replica.step()
            for slot in order(first, second) { replica.batcher.finish(slot) }
            replica.serve(12, .none)
            return replica.found(13, PromptContent(own: 1))
        }
        #expect(tail { [$0, $1] } == 8)
        #expect(tail { [$1, $0] } == 8)
    }

    @Test func `duplicates met in a run of chunks are let go step by step`() {
        // An answer is known when its sequence leaves, and then the next turn has it before it in many chunks.
        func play(limit: Int64) -> (evictable: Int, free: Int, steps: Int64) {
            var replica = Replica(blocks: 36, budget: 6, sequences: 3)
            // Older blocks, which need not go as long as duplicates make room.
            replica.serve(17, PromptContent(own: 9))
            _ = replica.batcher.submit(promptTokens: 3)
            let first = replica.batcher.submit(promptTokens: 2, content: chat)
            repeat { replica.step() } while replica.batcher.generatedTokens(of: first) < 31
            let second = replica.batcher.submit(promptTokens: 60, content: chat)
            replica.step()
            replica.batcher.finish(first)
            while replica.batcher.generatedTokens(of: second) == 0 {
                let plan = replica.batcher.nextStep(limit: limit)
                replica.batcher.advance(steps: plan.equalSteps)
            }
            return (replica.batcher.cache!.evictableBlocks, replica.batcher.freeBlocks, replica.batcher.stepCount)
        }
        #expect(play(limit: .max) == play(limit: 1))
        #expect(play(limit: 1).evictable == 3)
    }

    @Test func `names differ by text, length and number`() {
        #expect(PromptContent(shared: 5, sharedTokens: 9).sharedTokens == 9)
        #expect(PromptContent(shared: 5, sharedTokens: 9) != PromptContent(shared: 5, sharedTokens: 8))
        #expect(PromptContent(shared: 5, sharedTokens: 0).isNone)
        #expect(PromptContent.mixed(1, 2) != PromptContent.mixed(2, 1))
    }

    @Test func `every block is free, held or a sequence's own`() {
        var draws = Draws(state: 5)
        var evicted = 0
        for seed in 1...40 {
            var replica = Replica(blocks: draws.pick(15...40), budget: draws.pick(8...60), sequences: draws.pick(2...7))
            let limits = replica.batcher.configuration
            var outputs: [SequenceSlot: Int] = [:]
            for _ in 0..<150 {
                if draws.pick(0...2) > 0 {
                    let shared = draws.pick(0...2)
                    let prompt = draws.pick(12...50)
                    let content = PromptContent(
                        shared: UInt64(shared), sharedTokens: shared * 5, own: UInt64(shared * 10 + draws.pick(0...3)))
                    let slot = replica.batcher.submit(
                        promptTokens: prompt, priority: draws.pick(0...1), content: content)
                    outputs[slot] = draws.pick(1...(60 - prompt))
                }
                let known = replica.batcher.cache!.evictableBlocks
                let plan = replica.batcher.nextStep()
                var own = 0
                for slot in outputs.keys where !replica.batcher.isWaiting(slot) {
                    own += replica.batcher.ownBlocks(of: slot)
                }
                let cache = replica.batcher.cache!
                #expect(replica.batcher.freeBlocks >= 0, "\(seed)")
                #expect(replica.batcher.freeBlocks + cache.heldBlocks + own == limits.totalBlocks, "\(seed)")
                if cache.evictableBlocks < known { evicted += 1 }
                guard !plan.isEmpty else { continue }
                replica.batcher.advance(steps: 1)
                for (slot, output) in outputs.sorted(by: { $0.key < $1.key }) {
                    let isDone = replica.batcher.generatedTokens(of: slot) >= output
                    guard (isDone && !replica.batcher.isWaiting(slot)) || draws.pick(0...60) == 0 else { continue }
                    replica.batcher.cancel(slot)
                    outputs[slot] = nil
                }
            }
            for slot in outputs.keys.sorted() { replica.batcher.cancel(slot) }
            _ = replica.batcher.nextStep()
            #expect(replica.batcher.freeBlocks == limits.totalBlocks && replica.batcher.cache!.heldBlocks == 0)
        }
        #expect(evicted > 100)
    }
}
