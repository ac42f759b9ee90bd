import Foundation
import Testing

@testable import InferenceCore

@Suite("Architectures against a plain forward pass in 64 bits")
struct ModelArchitectureTests {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-\(UUID().uuidString)")
    static let tokens = (0..<40).map { ($0 * 17 + $0 * $0) % 40 }

    func with<T>(_ file: GGUFBytes, _ body: (String) throws -> T) throws -> T {
        let path = folder.path + ".gguf"
        try Data(file.file).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    /// The largest error of a model's logits, over all positions of one prompt.
    func error(_ weights: Weights, _ model: TinyModel) -> Double {
        let decoder = TransformerDecoder(weights: weights, kvBlocks: 3)
        let tokens = Self.tokens.map { Int32($0) }
        decoder.step([StepEntry(blocks: blocks(40), start: 0, tokens: tokens[...], logits: .all)])
        var most = 0.0
        for (row, expected) in model.logits(Self.tokens).enumerated() {
            for (computed, exact) in zip(decoder.logits(ofRow: row), expected) {
                most = max(most, abs(Double(computed) - exact))
            }
        }
        return most
    }

    @Test("A GGUF file of mixed types gives the logits", arguments: TinyModel.Architecture.allCases)
    func gguf(architecture: TinyModel.Architecture) throws {
        let model = TinyModel(architecture)
        let most = try with(model.gguf()) { error(try Weights(path: $0), model) }
        #expect(most < 1e-4)
        // The logits are far enough from 0 for the error to mean something.
        #expect(model.logits(Self.tokens).last!.map(abs).max()! > 0.5)
    }

    @Test("A folder with config.json and shards gives the logits", arguments: TinyModel.Architecture.allCases)
    func folder(architecture: TinyModel.Architecture) throws {
        let model = TinyModel(architecture)
        try model.writeFolder(folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(error(try Weights(path: folder.path), model) < 1e-4)
    }

    @Test("Logits of quantised weights have the same bits in a batch, in chunks and alone")
    func company() throws {
        let model = TinyModel(.qwen3)
        let weights = try with(model.gguf()) { try Weights(path: $0) }
        let prompts = (0..<7).map { index in (0..<(20 + index)).map { Int32((index * 11 + $0 * 7) % 40) } }
        let batch = TransformerDecoder(weights: weights, kvBlocks: 14)
        batch.step(
            prompts.enumerated().map { StepEntry(blocks: [2 * $0, 2 * $0 + 1], start: 0, tokens: $1.dropLast()) })
        batch.step(
            prompts.enumerated().map {
                StepEntry(blocks: [2 * $0, 2 * $0 + 1], start: $1.count - 1, tokens: $1.suffix(1))
            })
        for (index, tokens) in prompts.enumerated() {
            let alone = TransformerDecoder(weights: weights, kvBlocks: 2)
            for start in tokens.indices {
                alone.step([StepEntry(blocks: [0, 1], start: start, tokens: tokens[start...start])])
            }
            #expect(identical(alone.logits(ofRow: 0), batch.logits(ofRow: index)), "sequence \(index)")
        }
    }

    /// What to spoil in a good file, and whom the error must name.
    static let faults: [(String, TinyModel.Architecture, @Sendable (inout GGUFBytes) -> Void)] = [
        ("general.architecture", .llama, { $0.values[0].bytes = GGUFBytes.bytes("gpt2") }),
        ("llama.block_count", .llama, { $0.values.remove(at: 1) }),
        ("llama.block_count", .llama, { $0.values[1].bytes = GGUFBytes.bytes(UInt32(1 << 30)) }),
        ("blk.2.attn_norm.weight", .llama, { $0.values[1].bytes = GGUFBytes.bytes(UInt32(3)) }),
        ("blk.1.attn_norm.weight", .llama, { $0.values[1].bytes = GGUFBytes.bytes(UInt32(1)) }),
        ("token_embd.weight", .llama, { $0.values[2].bytes = GGUFBytes.bytes(UInt32(64)) }),
        ("llama.attention.head_count_kv", .llama, { $0.values[6].bytes = GGUFBytes.bytes(UInt32(3)) }),
        ("llama.rope.dimension_count", .llama, { $0.values[9].bytes = GGUFBytes.bytes(UInt32(4)) }),
        ("llama.attention.value_length", .llama, { $0.values[8].bytes = GGUFBytes.bytes(UInt32(16)) }),
        ("llama.rope.freq_base", .llama, { $0.values[10].bytes = GGUFBytes.bytes(Float.nan.bitPattern) }),
        ("llama.rope.scaling.type", .llama, { $0.add("llama.rope.scaling.type", "yarn") }),
        ("llama.expert_count", .llama, { $0.add("llama.expert_count", 8) }),
        ("tokenizer.ggml.tokens", .llama, { $0.add("tokenizer.ggml.tokens", array: 8, count: 0, []) }),
        ("blk.0.attn_q.bias", .qwen2, { $0.tensors[3].name = "blk.0.attn_q.bia" }),
        ("blk.0.attn_norm.weight", .qwen3, { $0.tensors[1].type = 8 }),
        ("rope_freqs.weight", .llama3, { $0.data.replaceSubrange(0..<4, with: [0, 0, 0, 0]) }),
    ]

    @Test("A model with one thing wrong is refused, naming the key or tensor", arguments: faults.indices)
    func fault(index: Int) throws {
        let (part, architecture, spoil) = Self.faults[index]
        var file = TinyModel(architecture).gguf()
        spoil(&file)
        let error = #expect(throws: ModelFileError.self) { try with(file) { try Weights(path: $0) } }
        #expect(error?.part == part, "\(error?.description ?? "none")")
    }

    @Test("A sliding window shortens the context to what it does not change")
    func slidingWindow() throws {
        var file = TinyModel(.mistral).gguf()
        file.add("llama.attention.sliding_window", 48)
        #expect(try with(file) { try ModelConfiguration(GGUFFile($0)).maxContext } == 48)
    }
}
