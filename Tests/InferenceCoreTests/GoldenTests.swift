import Serving
import Testing

@testable import InferenceCore

@Suite("The core against golden logits and tokens", .enabled(if: GoldenData.isPresent, "\(GoldenData.missing)"))
struct GoldenTests {
    /// What two good implementations in 32-bit floats differ by at most; a tenth of what is demanded.
    static let tolerance: Float = 1e-4

    @Test(
        "Logits of a whole prompt are the golden ones, from BF16 safetensors and from Q8_0 GGUF",
        arguments: ["text", "seq32", "long200"], ["", "/model-q8_0.gguf"])
    func logits(name: String, file: String) throws {
        let weights = try Weights(path: GoldenData.folder.path + file)
        let decoder = TransformerDecoder(weights: weights, kvBlocks: 16)
        let prompt = try #require(try GoldenData.prompts().prompts[name])
        decoder.step([StepEntry(blocks: blocks(prompt.count), start: 0, tokens: prompt[...], logits: .all)])
        let expected = try GoldenData.logits(name)
        let rows = expected.count / 288
        let computed = (prompt.count - rows..<prompt.count).flatMap { decoder.logits(ofRow: $0) }
        #expect(distance(computed, expected) < Self.tolerance)
    }

    @Test(
        "A prompt cut in chunks ends in the golden logits, and in the bits of the whole one", arguments: [1, 7, 16, 33])
    func chunks(size: Int) throws {
        let decoder = TransformerDecoder(weights: try GoldenData.weights(), kvBlocks: 32)
        let prompt = try #require(try GoldenData.prompts().prompts["long200"])
        decoder.step([StepEntry(blocks: blocks(200), start: 0, tokens: prompt[...])])
        let whole = decoder.logits(ofRow: 0)
        for start in stride(from: 0, to: 200, by: size) {
            decoder.step([
                StepEntry(blocks: blocks(200, from: 16), start: start, tokens: prompt[start..<min(200, start + size)])
            ])
        }
        #expect(identical(decoder.logits(ofRow: 0), whole))
        #expect(distance(whole, try GoldenData.logits("long200").suffix(288)) < Self.tolerance)
    }

    @Test("Q8_0 gives the bits of BF16, where both hold the same numbers")
    func storedTypes() throws {
        let prompt = try #require(try GoldenData.prompts().prompts["seq32"])
        let logits = try ["", "/model-q8_0.gguf"].map { file in
            let decoder = TransformerDecoder(weights: try Weights(path: GoldenData.folder.path + file), kvBlocks: 2)
            decoder.step([StepEntry(blocks: [0, 1], start: 0, tokens: prompt[...])])
            return decoder.logits(ofRow: 0)
        }
        #expect(identical(logits[0], logits[1]))
    }

    /// Token budget, KV blocks and whether a preemption is expected.
    @Test(
        "Greedy tokens are the golden ones alone, in a batch, in chunks and after preemptions",
        arguments: [
            (["text"], 2048, 40, false), (["seq32"], 2048, 40, false), (["long200"], 2048, 40, false),
            (["text", "seq32", "long200"], 2048, 40, false), (["text", "seq32", "long200"], 16, 40, false),
            (["long200", "text", "seq32"], 2048, 22, true), (["long200", "text", "seq32"], 24, 22, true),
        ] as [([String], Int, Int, Bool)])
    func greedy(names: [String], budget: Int, kvBlocks: Int, preempts: Bool) throws {
        let golden = try GoldenData.prompts()
        let decoder = TransformerDecoder(weights: try GoldenData.weights(), kvBlocks: kvBlocks)
        var worker = CoreWorker(
            decoder: decoder,
            configuration: BatcherConfiguration(
                maxBatchedTokens: budget, maxSequences: 8, totalBlocks: kvBlocks, maxContext: kvBlocks * 16))
        let requests = try names.map { try worker.submit(CoreRequest(tokens: golden.prompts[$0]!, maxTokens: 48)) }
        let results = worker.run()
        #expect((results.preemptions > 0) == preempts)
        for (name, request) in zip(names, requests) {
            let expected = try #require(golden.greedy[name])
            // Beyond a step whose best two tokens are closer than the error may be, the texts may part.
            let trusted = expected.margins.prefix { $0 >= 2 * Double(Self.tolerance) }.count
            #expect(results.ends[request] == .length)
            #expect(results.tokens[request]?.prefix(trusted) == expected.tokens.prefix(trusted), "\(name)")
        }
    }

    @Test("Presets rebuilt from a seed give the golden tokens and logits", arguments: ["prng-256", "prng-15m"])
    func presets(name: String) throws {
        let golden = try #require(try GoldenData.shapes()[name])
        let configuration = golden.configuration
        #expect(configuration.parameters == golden.params)
        let decoder = TransformerDecoder(weights: .random(configuration, seed: golden.seed), kvBlocks: 4)
        decoder.step([StepEntry(blocks: blocks(24), start: 0, tokens: golden.prompt[...])])
        let logits = decoder.logits(ofRow: 0)
        let computed = golden.lastTop16Ids.map { logits[$0] }
        #expect(distance(computed, golden.lastTop16Logits.map { Float($0) }) < Self.tolerance)

        var tokens = golden.prompt
        while tokens.count < 48 {
            tokens.append(decoder.greedyToken(ofRow: 0))
            decoder.step([StepEntry(blocks: blocks(48), start: tokens.count - 1, tokens: tokens.suffix(1))])
        }
        #expect(golden.minMargin > 2 * Double(Self.tolerance))
        #expect(Array(tokens.dropFirst(24)) == golden.greedy)
    }
}
