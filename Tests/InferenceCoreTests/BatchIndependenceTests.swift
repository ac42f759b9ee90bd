import Serving
import Testing

@testable import InferenceCore

@Suite("A sequence's logits do not depend on its company")
struct BatchIndependenceTests {
    /// Odd widths on purpose: a feed-forward that fills no vector, heads that fill no block.
    static let configuration = ModelConfiguration(
        layers: 2, hidden: 48, heads: 6, keyValueHeads: 2, headDimension: 10, feedForward: 50, vocabulary: 97,
        maxContext: 256)
    static var weights: Weights { .random(configuration, seed: 3) }

    static func prompt(_ index: Int, length: Int) -> [Int32] { (0..<length).map { Int32((index * 31 + $0 * 7) % 97) } }

    /// The logits of every position of a sequence that runs alone, token by token.
    static func alone(_ tokens: [Int32]) -> [[Float]] {
        let decoder = TransformerDecoder(weights: weights, kvBlocks: 16)
        return tokens.indices.map { index in
            decoder.step([
                StepEntry(blocks: blocks(tokens.count), start: index, tokens: tokens[index...index])
            ])
            return decoder.logits(ofRow: 0)
        }
    }

    @Test("A batch gives each sequence the bits it gets alone", arguments: [2, 3, 5, 6, 7, 12, 17])
    func batch(size: Int) {
        let decoder = TransformerDecoder(weights: Self.weights, kvBlocks: size * 8)
        let prompts = (0..<size).map { Self.prompt($0, length: 20 + 5 * $0) }
        decoder.step(
            prompts.enumerated().map { index, tokens in
                StepEntry(blocks: blocks(tokens.count, from: index * 8), start: 0, tokens: tokens.dropLast())
            })
        decoder.step(
            prompts.enumerated().map { index, tokens in
                StepEntry(
                    blocks: blocks(tokens.count, from: index * 8), start: tokens.count - 1, tokens: tokens.suffix(1))
            })
        for (index, tokens) in prompts.enumerated() {
            #expect(identical(decoder.logits(ofRow: index), Self.alone(tokens).last!), "sequence \(index)")
        }
    }

    @Test(
        "A chunk of a prompt gives each position the bits of one token at a time",
        arguments: [1, 2, 3, 4, 5, 15, 16, 60])
    func chunk(size: Int) {
        let tokens = Self.prompt(1, length: 60)
        let expected = Self.alone(tokens)
        let decoder = TransformerDecoder(weights: Self.weights, kvBlocks: 8)
        for start in stride(from: 0, to: 60, by: size) {
            let chunk = tokens[start..<min(60, start + size)]
            decoder.step([StepEntry(blocks: blocks(60), start: start, tokens: chunk, logits: .all)])
            for (row, position) in chunk.indices.enumerated() {
                #expect(identical(decoder.logits(ofRow: row), expected[position]), "position \(position)")
            }
        }
    }

    @Test("What a block held before it was given back does not show")
    func reusedBlocks() {
        let tokens = Self.prompt(4, length: 37)
        let expected = Self.alone(tokens).last!
        let decoder = TransformerDecoder(weights: Self.weights, kvBlocks: 3)
        decoder.step([StepEntry(blocks: [0, 1, 2], start: 0, tokens: Self.prompt(9, length: 48)[...])])
        decoder.step([StepEntry(blocks: [2, 0, 1], start: 0, tokens: tokens[...])])
        #expect(identical(decoder.logits(ofRow: 0), expected))
    }

    @Test("Requests of a busy worker, short of KV blocks, get the tokens that each gets alone")
    func worker() throws {
        let tight = BatcherConfiguration(maxBatchedTokens: 24, maxSequences: 6, totalBlocks: 14, maxContext: 200)
        let decoder = TransformerDecoder(weights: Self.weights, kvBlocks: 14)
        var worker = CoreWorker(decoder: decoder, configuration: tight)
        let prompts = (0..<9).map { Self.prompt($0, length: 9 + 6 * $0) }
        let requests = try prompts.map { try worker.submit(CoreRequest(tokens: $0, maxTokens: 30)) }
        let busy = worker.run()
        #expect(busy.preemptions > 0)
        #expect(worker.batcher.freeBlocks == 14)
        for (prompt, request) in zip(prompts, requests) {
            var single = CoreWorker(
                decoder: TransformerDecoder(weights: Self.weights, kvBlocks: 14), configuration: tight)
            let reference = try single.submit(CoreRequest(tokens: prompt, maxTokens: 30))
            #expect(busy.tokens[request] == single.run().tokens[reference])
            #expect(busy.tokens[request]?.count == 30)
        }
    }
}
