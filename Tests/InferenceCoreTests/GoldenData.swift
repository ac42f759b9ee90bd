import Foundation

@testable import InferenceCore

/// The golden model beside the package: a random Llama with logits and greedy tokens that two independent
/// implementations agree on.
enum GoldenData {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared/data/models/tiny-llama-random")
    static var isPresent: Bool { FileManager.default.fileExists(atPath: folder.path + "/golden/golden.json") }
    static let missing = "the golden model is not beside the package (shared/data/models/tiny-llama-random)"

    struct Prompts: Decodable {
        struct Greedy: Decodable {
            var tokens: [Int32]
            var margins: [Double]
        }
        var prompts: [String: [Int32]]
        var greedy: [String: Greedy]
    }

    struct Shape: Decodable {
        struct Config: Decodable {
            var vocabSize: Int
            var hiddenSize: Int
            var intermediateSize: Int
            var numHiddenLayers: Int
            var numAttentionHeads: Int
            var numKeyValueHeads: Int
            var headDim: Int
            var maxPositionEmbeddings: Int
            var ropeTheta: Double
        }
        var config: Config
        var seed: UInt32
        var prompt: [Int32]
        var greedy: [Int32]
        var minMargin: Double
        var params: Int
        var lastTop16Ids: [Int]
        var lastTop16Logits: [Double]

        var configuration: ModelConfiguration {
            ModelConfiguration(
                layers: config.numHiddenLayers, hidden: config.hiddenSize, heads: config.numAttentionHeads,
                keyValueHeads: config.numKeyValueHeads, headDimension: config.headDim,
                feedForward: config.intermediateSize, vocabulary: config.vocabSize, ropeTheta: config.ropeTheta,
                maxContext: config.maxPositionEmbeddings)
        }
    }

    static func prompts() throws -> Prompts {
        try JSONDecoder().decode(Prompts.self, from: Data(contentsOf: folder.appending(path: "golden/golden.json")))
    }

    static func shapes() throws -> [String: Shape] {
        let file = folder.appending(path: "golden/golden-prng.json")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode([String: Shape].self, from: Data(contentsOf: file))
    }

    /// The expected logits of a prompt's last positions, `[positions, 288]`.
    static func logits(_ prompt: String) throws -> [Float] {
        let file = try SafetensorsFile(folder.path + "/golden/golden.safetensors")
        let name = prompt + ".logits"
        guard let tensor = file.tensor(name) else {
            throw ModelFileError(file: "golden", part: name, problem: "absent")
        }
        return try file.floats(name, shape: tensor.shape)
    }

    static func weights() throws -> Weights { try Weights(folder: folder.path) }
}

/// The largest distance of two lists of logits; infinite when one is not a number or they differ in length.
func distance(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { $1.0.isFinite && $1.1.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity }
}

/// Whether two lists of logits are the same bits.
func identical(_ a: [Float], _ b: [Float]) -> Bool { a.map(\.bitPattern) == b.map(\.bitPattern) }

/// As many block numbers as `tokens` tokens need, from `first` on.
func blocks(_ tokens: Int, from first: Int = 0) -> [Int] {
    Array(first..<(first + (tokens + TransformerDecoder.blockSize - 1) / TransformerDecoder.blockSize))
}
