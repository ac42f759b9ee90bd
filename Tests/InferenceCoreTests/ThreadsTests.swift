import Serving
import Testing

@testable import InferenceCore

@Suite("Threads")
struct ThreadsTests {
    @Test("Logits are the same bits on any number of threads", arguments: [2, 3, 8])
    func sameBits(threads: Int) {
        let weights = ModelPreset.tiny.weights()
        let prompts = (0..<5).map { index in (0..<(30 + 20 * index)).map { Int32(($0 * 7 + index * 31) % 288) } }
        func logits(threads: Int) -> [[Float]] {
            let decoder = TransformerDecoder(weights: weights, kvBlocks: 50, threads: threads)
            var all: [[Float]] = []
            decoder.step(
                prompts.enumerated().map {
                    StepEntry(blocks: blocks(120, from: 10 * $0), start: 0, tokens: $1[...], logits: .all)
                })
            for row in 0..<decoder.logitRowCount { all.append(decoder.logits(ofRow: row)) }
            for step in 0..<10 {
                decoder.step(
                    prompts.enumerated().map {
                        StepEntry(
                            blocks: blocks(120, from: 10 * $0), start: $1.count + step, tokens: [Int32(step)][...])
                    })
                for row in 0..<5 { all.append(decoder.logits(ofRow: row)) }
            }
            return all
        }
        let (alone, together) = (logits(threads: 1), logits(threads: threads))
        #expect(alone.count == together.count && zip(alone, together).allSatisfy { identical($0, $1) })
    }

    @Test("Decoders with their own threads come and go")
    func lifetimes() {
        let weights = ModelPreset.tiny.weights()
        for index in 0..<50 {
            let decoder = TransformerDecoder(weights: weights, kvBlocks: 1, threads: 1 + index % 4)
            decoder.step([StepEntry(blocks: [0], start: 0, tokens: [1, 2, 3])])
            #expect(decoder.logits(ofRow: 0).allSatisfy { $0.isFinite })
        }
    }
}
