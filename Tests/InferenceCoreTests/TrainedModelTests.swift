import Foundation
import Testing

@testable import InferenceCore

@Suite("Trained models against golden logits and tokens")
struct TrainedModelTests {
    static let models = GoldenData.folder.deletingLastPathComponent()
    static func isPresent(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// Greedy tokens after each prompt, all prompts in one batch, and the logits before the first of them.
    static func greedy(_ weights: Weights, _ prompts: [[Int32]], count: Int) -> [(logits: [Float], tokens: [Int32])] {
        let perSequence = blocks(prompts.map(\.count).max()! + count).count
        let decoder = TransformerDecoder(weights: weights, kvBlocks: perSequence * prompts.count)
        func table(_ index: Int) -> [Int] { Array((index * perSequence)..<((index + 1) * perSequence)) }
        decoder.step(
            prompts.enumerated().map { StepEntry(blocks: table($0), start: 0, tokens: $1[...]) })
        let first = prompts.indices.map { decoder.logits(ofRow: $0) }
        var texts = prompts
        for index in texts.indices { texts[index].append(decoder.greedyToken(ofRow: index)) }
        for _ in 1..<count {
            decoder.step(
                texts.enumerated().map {
                    StepEntry(blocks: table($0), start: $1.count - 1, tokens: $1.suffix(1))
                })
            for index in texts.indices { texts[index].append(decoder.greedyToken(ofRow: index)) }
        }
        return prompts.indices.map { (first[$0], Array(texts[$0].dropFirst(prompts[$0].count))) }
    }

    static let storiesFolder = models.path + "/stories260K"

    @Test(
        "stories260K tells its stories, from F32 GGUF and from safetensors",
        .enabled(if: isPresent(storiesFolder + "/golden/golden.json"), "shared/data/models/stories260K is not there"),
        arguments: ["/stories260K-f32.gguf", ""])
    func stories(file: String) throws {
        let golden = try JSONDecoder().decode(
            GoldenData.Prompts.self, from: Data(contentsOf: URL(filePath: Self.storiesFolder + "/golden/golden.json")))
        let names = golden.prompts.keys.sorted()
        let results = Self.greedy(
            try Weights(path: Self.storiesFolder + file), names.map { golden.prompts[$0]! }, count: 64)
        let logits = try SafetensorsFile(Self.storiesFolder + "/golden/golden.safetensors")
        for (name, result) in zip(names, results) {
            let expected = golden.greedy[name]!
            let trusted = expected.margins.prefix { $0 >= 2e-4 }.count
            #expect(result.tokens.prefix(trusted) == expected.tokens.prefix(trusted), "\(name)")
            guard let tensor = logits.tensor(name + ".logits") else { continue }
            let last = try logits.floats(tensor.name, shape: tensor.shape).suffix(512)
            #expect(distance(result.logits, last) < 1e-4, "\(name)")
        }
    }

    static let smol = GoldenData.folder.deletingLastPathComponent().path + "/smollm2-135m-golden/golden.json"
    static let smolFile =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/.build-models/SmolLM2-135M-Instruct.Q4_1.gguf"

    struct Smol: Decodable {
        struct Case: Decodable {
            var ids: [Int32]
            var topIDs: [Int]
            var topLogits: [Float]
            var greedy: [Int32]
            var margins: [Double]

            enum CodingKeys: String, CodingKey {
                case ids, greedy, margins
                case topIDs = "top10_ids"
                case topLogits = "top10_logits"
            }
        }
        var cases: [String: Case]
    }

    /// 135 M weights take a debug build half a minute.
    @Test(
        "SmolLM2-135M in Q4_1 says what its widened weights say",
        .enabled(if: isPresent(smol), "shared/data/models/smollm2-135m-golden is not there"),
        .enabled(if: isPresent(smolFile), "Scripts/get-model fetches the model"))
    func smolLM2() throws {
        let golden = try JSONDecoder().decode(Smol.self, from: Data(contentsOf: URL(filePath: Self.smol))).cases
        let names = golden.keys.sorted()
        let weights = try Weights(path: Self.smolFile)
        // As in the file, but for norms: 98 MB and not the 538 of 32-bit floats.
        #expect(weights.bytes < 98_362_432)
        let results = Self.greedy(weights, names.map { golden[$0]!.ids }, count: 32)
        for (name, result) in zip(names, results) {
            let expected = golden[name]!
            let error = distance(expected.topIDs.map { result.logits[$0] }, expected.topLogits)
            #expect(error < 1e-3, "\(name)")
            let trusted = expected.margins.prefix { $0 >= 2e-3 }.count
            #expect(result.tokens.prefix(trusted) == expected.greedy.prefix(trusted), "\(name)")
            print(
                "SmolLM2 \(name): logits within \(error), \(zip(result.tokens, expected.greedy).prefix { $0 == $1 }.count) tokens of 32"
            )
        }
    }
}
