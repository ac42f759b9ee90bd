import Foundation
import Testing

@testable import InferenceCore

/// Spoils good GGUF files in ways drawn from a seed. `TIDEGATE_MUTATIONS=10000` tries more than the few that CI has time
/// for; the number of a mutation alone makes it again.
@Suite("Mutated GGUF files are refused with a typed error or computed, never a crash")
struct MutationTests {
    static let files = [
        GoldenData.folder.path + "/model-q8_0.gguf",
        GoldenData.folder.deletingLastPathComponent().path + "/stories260K/stories260K-f32.gguf",
    ]
    static var isPresent: Bool { files.allSatisfy { FileManager.default.fileExists(atPath: $0) } }
    static var mutations: Int {
        ProcessInfo.processInfo.environment["TIDEGATE_MUTATIONS"].flatMap { Int($0) } ?? 300
    }

    /// splitmix64.
    struct Draws: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }

    /// A good file's bytes, and where its header's parts are.
    struct Original {
        var bytes: [UInt8]
        var headerEnd: Int
        /// Where each tensor's offset is written.
        var offsets: [Int]

        init(_ path: String) throws {
            bytes = Array(try Data(contentsOf: URL(filePath: path)))
            let file = try GGUFFile(path)
            headerEnd = file.tensors.map(\.bytes.lowerBound).min()!
            let header = Data(bytes[..<headerEnd])
            offsets = file.tensors.map { tensor in
                let name = header.range(
                    of: Data(GGUFBytes.bytes(tensor.name) + GGUFBytes.bytes(UInt32(tensor.shape.count))))!
                return name.upperBound + 8 * tensor.shape.count + 4
            }
        }

        func mutated(_ seed: UInt64) -> [UInt8] {
            var draws = Draws(state: seed)
            var out = bytes
            func put(_ number: UInt64, at position: Int) {
                out.replaceSubrange(position..<(position + 8), with: GGUFBytes.bytes(number))
            }
            switch seed % 5 {
            case 0: out.removeLast(Int.random(in: 1...(Bool.random(using: &draws) ? 4096 : bytes.count), using: &draws))
            case 1:
                for _ in 0..<Int.random(in: 1...4, using: &draws) {
                    out[Int.random(in: 0..<headerEnd, using: &draws)] ^= UInt8.random(in: 1...255, using: &draws)
                }
            case 2:
                let counts: [UInt64] = [.max, 1 << 63, 1 << 62, 1 << 40, 1 << 31, 1 << 20, 0]
                put(counts.randomElement(using: &draws)!, at: Int.random(in: 0..<(headerEnd - 8), using: &draws))
            case 3:
                let (a, b) = (offsets.randomElement(using: &draws)!, offsets.randomElement(using: &draws)!)
                for i in 0..<8 { out.swapAt(a + i, b + i) }
            default:
                let offset = UInt64.random(in: 0..<UInt64(2 * bytes.count / 32), using: &draws) * 32
                put(offset, at: offsets.randomElement(using: &draws)!)
            }
            return out
        }
    }

    @Test("A mutated file", .enabled(if: isPresent, "the golden models are not beside the package"), arguments: files)
    func mutated(file: String) throws {
        let original = try Original(file)
        let path = FileManager.default.temporaryDirectory.appending(path: "tidegate-\(UUID().uuidString).gguf").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var (refused, computed) = (0, 0)
        for seed in 0..<UInt64(Self.mutations) {
            let bytes = original.mutated(seed)
            try Data(bytes).write(to: URL(filePath: path))
            do throws(ModelFileError) {
                let weights = try Weights(path: path)
                #expect(weights.bytes <= 16 * bytes.count, "mutation \(seed)")
                let decoder = TransformerDecoder(weights: weights, kvBlocks: 1)
                decoder.step([StepEntry(blocks: [0], start: 0, tokens: [1])])
                computed += 1
            } catch {
                #expect(error.file == path && !error.problem.isEmpty, "mutation \(seed)")
                refused += 1
            }
        }
        // Letters of a token and a norm's place may change unnoticed, but most of what was spoiled must be seen.
        #expect(refused > Self.mutations / 2 && computed > 0, "\(refused) refused, \(computed) computed")
    }
}
