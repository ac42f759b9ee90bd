import Serving
import Testing

@testable import InferenceCore

@Suite("Embeddings")
struct EmbeddingTests {
    static func embeddings(
        _ prompts: [[Int32]], _ pooling: Pooling, limits: BatcherConfiguration = CoreWorkerTests.tight
    ) throws -> (vectors: [[Float]], preemptions: Int) {
        var worker = CoreWorkerTests.worker(limits)
        // Company: requests that decode beside them.
        for index in 0..<3 { _ = try worker.submit(CoreWorkerTests.request(index)) }
        let ids = try prompts.map { try worker.submit(CoreRequest(tokens: $0, pooling: pooling)) }
        let results = worker.run()
        #expect(worker.isIdle && worker.batcher.freeBlocks == 14)
        return (
            ids.map { id in
                guard case .embedded(let vector) = results.ends[id], results.tokens[id] == nil else { return [] }
                return vector
            }, results.preemptions
        )
    }

    /// Hidden states of a prompt computed at once, pooled in a plain loop.
    static func plain(_ prompt: [Int32], _ pooling: Pooling) -> [Double] {
        let decoder = TransformerDecoder(weights: BatchIndependenceTests.weights, kvBlocks: 14)
        var entry = StepEntry(blocks: blocks(prompt.count), start: 0, tokens: prompt[...], logits: .none)
        entry.keepsStates = true
        decoder.step([entry])
        let states = decoder.hiddenStates(ofEntry: 0)
        let rows = pooling == .last ? (prompt.count - 1)..<prompt.count : 0..<prompt.count
        let means = (0..<48).map { i in
            rows.reduce(0.0) { $0 + Double(states[$1 * 48 + i]) } / Double(rows.count)
        }
        let length = means.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return means.map { $0 / length }
    }

    @Test(
        "An embedding is the pooled hidden states, of length 1, in chunks and in company",
        arguments: [Pooling.mean, .last])
    func pooled(pooling: Pooling) throws {
        let prompts = (3..<9).map { BatchIndependenceTests.prompt($0, length: 7 + 9 * $0) }
        let found = try Self.embeddings(prompts, pooling)
        for (prompt, vector) in zip(prompts, found.vectors) {
            let expected = Self.plain(prompt, pooling)
            try #require(vector.count == 48)
            for (a, b) in zip(vector, expected) { #expect(abs(Double(a) - b) < 1e-6) }
        }
        #expect(Set(found.vectors).count == prompts.count)
    }

    @Test("A prompt whose beginning is cached gives the same bits", arguments: [Pooling.mean, .last])
    func cached(pooling: Pooling) throws {
        var limits = CoreWorkerTests.tight
        limits.prefixCaching = true
        let prompt = BatchIndependenceTests.prompt(5, length: 70)
        var worker = CoreWorkerTests.worker(limits)
        var generated = CoreRequest(tokens: prompt)
        generated.sampling.maxTokens = 2
        _ = try worker.submit(generated)
        _ = worker.run()
        let id = try worker.submit(CoreRequest(tokens: prompt, pooling: pooling))
        let vector = try Self.embeddings([prompt], pooling).vectors[0]
        #expect(worker.run().ends[id] == .embedded(vector))
        #expect(worker.prefixCache?.hits == (pooling == .last ? 64 : 0))
    }
}
