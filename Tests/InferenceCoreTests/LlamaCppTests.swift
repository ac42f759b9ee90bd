import Foundation
import Testing

@testable import InferenceCore

/// An engine that nobody here wrote, as the package xllamacpp brings it.
enum LlamaCpp {
    static let missing = "there is no .build-python with xllamacpp; Scripts/test makes it where PyPI is reached"
    static let isThere = (try? Oracle.run(["-c", "import xllamacpp"], input: Data())) != nil

    /// The most likely token after each text.
    static func next(_ texts: [[Int32]], model: String) throws -> [Int32] {
        let script = Oracle.root.path + "/Tests/InferenceCoreTests/llamacpp.py"
        let question: [String: Any] = ["model": model, "texts": texts.map { $0.map(Int.init) }]
        let answer = try Oracle.run([script], input: JSONSerialization.data(withJSONObject: question))
        return try JSONDecoder().decode([Int32].self, from: answer)
    }
}

@Suite("The core beside llama.cpp")
struct LlamaCppTests {
    /// What tokens differ by in the eyes of the two: llama.cpp rounds activations to 8 bits where weights are quantised.
    static let thin: Float = 0.3

    @Test(
        "SmolLM2's greedy tokens are those of llama.cpp, but for thin margins",
        .enabled(
            if: FileManager.default.fileExists(atPath: TokenizerFixtures.smol), "Scripts/get-model fetches SmolLM2"),
        .enabled(if: LlamaCpp.isThere, "\(LlamaCpp.missing)"))
    func smolLM2() throws {
        let tokenizer = try TokenizerFixtures.smolTokenizer()
        let decoder = TransformerDecoder(weights: try Weights(path: TokenizerFixtures.smol), kvBlocks: 4)
        let prompts = ["The capital of France is", "def fibonacci(n):\n", "Once upon a time, in a small village,"]
        // Each text with the token that the core puts behind it, and by how much it is ahead.
        var steps: [(text: [Int32], token: Int32, margin: Float)] = []
        for prompt in prompts {
            var text = tokenizer.encode(prompt)
            decoder.step([StepEntry(blocks: [0, 1, 2, 3], start: 0, tokens: text[...])])
            for _ in 0..<16 {
                let logits = decoder.logits(ofRow: 0)
                let best = decoder.greedyToken(ofRow: 0)
                let second = logits.indices.filter { $0 != Int(best) }.map { logits[$0] }.max()!
                steps.append((text, best, logits[Int(best)] - second))
                text.append(best)
                decoder.step([StepEntry(blocks: [0, 1, 2, 3], start: text.count - 1, tokens: text.suffix(1))])
            }
        }
        let theirs = try LlamaCpp.next(steps.map(\.text), model: TokenizerFixtures.smol)
        let clear = zip(steps, theirs).filter { $0.0.margin >= Self.thin }
        #expect(clear.count > 24, "\(clear.count) of \(steps.count) margins are clear")
        for (step, token) in clear {
            #expect(
                step.token == token,
                "after \(tokenizer.decode(step.text).debugDescription), by a margin of \(step.margin)")
        }
    }
}
