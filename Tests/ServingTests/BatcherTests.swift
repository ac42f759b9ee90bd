import EngineModel
import Serving
import Testing

/// Draws that a seed fixes (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
struct Draws: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// A batcher with its world: what it must hold of every sequence, kept apart.
private struct Drive {
    let limits: BatcherConfiguration
    var batcher: Batcher
    var draws: Draws
    /// Prompt and wanted output of the sequences inside.
    var inside: [SequenceSlot: (prompt: Int, output: Int)] = [:]

    init(seed: UInt64) {
        draws = Draws(state: seed)
        let blockSize = [1, 3, 8][draws.pick(0...2)]
        let maxSequences = draws.pick(1...5)
        limits = BatcherConfiguration(
            maxBatchedTokens: maxSequences + draws.pick(0...30), maxSequences: maxSequences, blockSize: blockSize,
            totalBlocks: 60 / blockSize + 1 + draws.pick(0...20), maxContext: 60)
        batcher = Batcher(configuration: limits)
    }

    var slots: [SequenceSlot] { inside.keys.sorted() }

    mutating func submitSome() {
        for _ in 0..<draws.pick(0...2) {
            let prompt = draws.pick(1...59)
            let slot = batcher.submit(promptTokens: prompt, priority: draws.pick(0...2))
            inside[slot] = (prompt, draws.pick(1...(60 - prompt)))
        }
    }

    /// Cancels some and finishes those with all their tokens, as a world does between two steps.
    mutating func removeSome() {
        for slot in slots {
            let isDone = batcher.generatedTokens(of: slot) >= inside[slot]!.output
            if isDone && !batcher.isWaiting(slot) {
                batcher.finish(slot)
                inside[slot] = nil
            } else if draws.pick(0...60) == 0 {
                batcher.cancel(slot)
                inside[slot] = nil
            }
        }
    }

    /// The most steps until a running sequence has all its tokens.
    var stepsToFinish: Int64 {
        slots.filter { !batcher.isWaiting($0) && batcher.generatedTokens(of: $0) > 0 }
            .map { Int64(inside[$0]!.output - batcher.generatedTokens(of: $0)) }.min() ?? 1
    }
}

@Suite struct BatcherTests {
    @Test func `the sequences of a step are what its features say`() {
        for seed in 1...UInt64(60) {
            var drive = Drive(seed: seed)
            // Sequences whose prompt is complete.
            var decoding: Set<SequenceSlot> = []
            for _ in 0..<100 {
                drive.submitSome()
                drive.removeSome()
                let plan = drive.batcher.nextStep()
                decoding.formIntersection(drive.inside.keys)
                decoding.subtract(drive.batcher.preempted)
                decoding.subtract(drive.batcher.admitted)
                guard !plan.isEmpty else { continue }
                var features = StepFeatures()
                var producing = 0
                var before: [SequenceSlot: Int] = [:]
                drive.batcher.forEachScheduled { slot, start, count, producesToken in
                    if decoding.contains(slot) {
                        features.decodeSequences += 1
                        features.decodeContext += Int64(start)
                        #expect(count == 1)
                    } else {
                        features.addChunk(tokens: Int64(count), context: Int64(start))
                    }
                    if producesToken {
                        producing += 1
                        before[slot] = drive.batcher.generatedTokens(of: slot)
                    }
                }
                #expect(features == plan.features, "seed \(seed)")
                #expect(features.prefillTokens + features.decodeSequences <= Int64(drive.limits.maxBatchedTokens))
                #expect(drive.batcher.runningCount <= drive.limits.maxSequences)
                drive.batcher.advance(steps: 1)
                for (slot, tokens) in before { #expect(drive.batcher.generatedTokens(of: slot) == tokens + 1) }
                #expect(producing == decoding.count + drive.batcher.completedPrefills.count, "seed \(seed)")
                decoding.formUnion(drive.batcher.completedPrefills)
            }
        }
    }

    @Test func `many steps at once are the same as one at a time, looked at or not`() {
        var longest: Int64 = 0
        var longestPrompt: Int64 = 0
        for seed in 1...UInt64(80) {
            var drive = Drive(seed: seed)
            for _ in 0..<100 {
                drive.submitSome()
                drive.removeSome()
                let plan = drive.batcher.nextStep()
                guard !plan.isEmpty else { continue }
                let steps = max(1, min(plan.equalSteps, drive.stepsToFinish))
                longest = max(longest, steps)
                var single = drive.batcher
                for step in 1...steps {
                    single.advance(steps: 1)
                    if step < steps {
                        let next = single.nextStep()
                        #expect(single.preempted.isEmpty, "seed \(seed)")
                        #expect(next.features == plan.features.aged(by: step, chunk: plan.features.prefillTokens))
                        longestPrompt = max(longestPrompt, plan.features.isDecodeOnly ? 0 : steps)
                    }
                }
                var looked = drive.batcher
                if steps > 1 {
                    looked.advance(steps: steps / 2, continuing: true)
                    looked.advance(steps: steps - steps / 2)
                } else {
                    looked.advance(steps: 1)
                }
                drive.batcher.advance(steps: steps)
                for other in [single, looked] {
                    #expect(other.freeBlocks == drive.batcher.freeBlocks, "seed \(seed)")
                    #expect(other.stepCount == drive.batcher.stepCount)
                    for slot in drive.slots {
                        #expect(other.context(of: slot) == drive.batcher.context(of: slot))
                        #expect(other.generatedTokens(of: slot) == drive.batcher.generatedTokens(of: slot))
                    }
                }
            }
        }
        #expect(longest > 20)
        #expect(longestPrompt > 2)
    }

    @Test func `a smaller priority is served first and equals in order of arrival`() {
        var batcher = Batcher(
            configuration: BatcherConfiguration(
                maxBatchedTokens: 100, maxSequences: 3, totalBlocks: 20, maxContext: 200))
        let late = batcher.submit(promptTokens: 5, priority: 2)
        let first = batcher.submit(promptTokens: 5, priority: 1)
        let second = batcher.submit(promptTokens: 5, priority: 1)
        let urgent = batcher.submit(promptTokens: 5, priority: 0)
        _ = batcher.nextStep()
        #expect(batcher.admitted == [urgent, first, second])
        #expect(batcher.isWaiting(late))
    }

    @Test func `when blocks run out the last of the lowest priority goes back to the front`() {
        var batcher = Batcher(
            configuration: BatcherConfiguration(
                maxBatchedTokens: 100, maxSequences: 4, blockSize: 4, totalBlocks: 6, maxContext: 24))
        let low = batcher.submit(promptTokens: 8, priority: 1)
        let high = batcher.submit(promptTokens: 8, priority: 0)
        let other = batcher.submit(promptTokens: 8, priority: 0)
        _ = batcher.nextStep()
        batcher.advance(steps: 1)
        let behind = batcher.submit(promptTokens: 1, priority: 1)
        let plan = batcher.nextStep()
        #expect(batcher.preempted == [low])
        #expect(batcher.admitted.isEmpty)
        #expect(plan.features.decodeSequences == 2 && plan.equalSteps == 1)
        batcher.advance(steps: 1)
        batcher.finish(high)
        batcher.finish(other)
        _ = batcher.nextStep()
        // Its token is kept: eight of the prompt and the one produced are computed again.
        #expect(batcher.admitted == [low, behind])
        #expect(batcher.generatedTokens(of: low) == 1)
        batcher.forEachScheduled { slot, start, count, _ in
            if slot == low { #expect(start == 0 && count == 9) }
        }
    }

    @Test func `a cancelled sequence leaves nothing behind`() {
        var batcher = Batcher(
            configuration: BatcherConfiguration(
                maxBatchedTokens: 10, maxSequences: 2, blockSize: 4, totalBlocks: 20, maxContext: 80))
        let running = batcher.submit(promptTokens: 30)
        let waiting = batcher.submit(promptTokens: 5)
        _ = batcher.nextStep()
        batcher.cancel(waiting)
        #expect(batcher.waitingCount == 0)
        batcher.advance(steps: 1)
        #expect(batcher.context(of: running) == 10)
        batcher.cancel(running)
        #expect(batcher.runningCount == 0 && batcher.freeBlocks == 20)
        #expect(batcher.nextStep().isEmpty)
    }
}

extension StepFeatures {
    /// What a step looks like when its sequences are `steps` steps older and its one prompt has as many chunks behind it.
    fileprivate func aged(by steps: Int64, chunk: Int64) -> StepFeatures {
        var older = self
        older.decodeContext += decodeSequences * steps
        if !isDecodeOnly {
            let behind = prefillContext + steps * chunk
            older.prefillContext = behind
            older.prefillAreaDoubled = chunk * (2 * behind + chunk)
        }
        return older
    }
}
