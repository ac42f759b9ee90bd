import Foundation
import Testing

@testable import InferenceCore

/// Spoils good model folders in ways drawn from a seed, as ``MutationTests`` does with GGUF files.
@Suite("Mutated safetensors folders are refused with a typed error or computed, never a crash")
struct SafetensorsMutationTests {
    static let folders = ["tiny-llama-random", "stories260K"].map {
        GoldenData.folder.deletingLastPathComponent().appending(path: $0).path
    }
    static var isPresent: Bool { folders.allSatisfy { FileManager.default.fileExists(atPath: $0) } }

    /// A good folder's two files.
    struct Original {
        var weights: [UInt8]
        var configuration: [UInt8]
        /// Bytes of the length field and the JSON after it.
        var headerEnd: Int

        init(_ folder: String) throws {
            weights = Array(try Data(contentsOf: URL(filePath: folder + "/model.safetensors")))
            configuration = Array(try Data(contentsOf: URL(filePath: folder + "/config.json")))
            headerEnd = 8 + weights[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        }

        /// What mutation number `seed` makes of it; most spoil the weights' header, one in five the configuration.
        func mutated(_ seed: UInt64) -> Original {
            var draws = MutationTests.Draws(state: seed)
            var out = self
            switch seed % 5 {
            case 0:
                out.weights.removeLast(
                    Int.random(in: 1...(Bool.random(using: &draws) ? 4096 : weights.count), using: &draws))
            case 1:
                for _ in 0..<Int.random(in: 1...4, using: &draws) {
                    let place = Int.random(in: 0..<headerEnd, using: &draws)
                    out.weights[place] ^= UInt8.random(in: 1...255, using: &draws)
                }
            case 2:
                let counts: [UInt64] = [.max, 1 << 63, 1 << 40, 1 << 31, UInt64(weights.count), 0]
                out.weights.replaceSubrange(..<8, with: GGUFBytes.bytes(counts.randomElement(using: &draws)!))
            case 3: Self.changeNumber(in: &out.weights, within: 8..<headerEnd, &draws)
            default: Self.changeNumber(in: &out.configuration, within: 0..<configuration.count, &draws)
            }
            return out
        }

        /// Another digit in the place of one: a shape, an offset, a width.
        private static func changeNumber(
            in bytes: inout [UInt8], within range: Range<Int>, _ draws: inout MutationTests.Draws
        ) {
            let digits = range.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[$0]) }
            let place = digits.randomElement(using: &draws)!
            let texts = ["0", "7", "99", "-1", "1e3", "9223372036854775807", "99999999999999999999", ""]
            bytes.replaceSubrange(place...place, with: texts.randomElement(using: &draws)!.utf8)
        }
    }

    @Test(
        "A mutated folder", .enabled(if: isPresent, "the golden models are not beside the package"),
        arguments: folders)
    func mutated(folder: String) throws {
        let original = try Original(folder)
        let copy = FileManager.default.temporaryDirectory.appending(path: "tidegate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: copy) }
        var (refused, computed) = (0, 0)
        for seed in 0..<UInt64(MutationTests.mutations) {
            let spoiled = original.mutated(seed)
            try Data(spoiled.weights).write(to: copy.appending(path: "model.safetensors"))
            try Data(spoiled.configuration).write(to: copy.appending(path: "config.json"))
            do throws(ModelFileError) {
                let weights = try Weights(path: copy.path)
                #expect(weights.bytes <= 16 * spoiled.weights.count, "mutation \(seed)")
                let decoder = TransformerDecoder(weights: weights, kvBlocks: 1)
                decoder.step([StepEntry(blocks: [0], start: 0, tokens: [1])])
                computed += 1
            } catch {
                #expect(error.file.hasPrefix(copy.path) && !error.problem.isEmpty, "mutation \(seed)")
                refused += 1
            }
        }
        // Letters of a name that nobody reads and a rotary base may change unnoticed; most must be seen.
        #expect(refused > MutationTests.mutations / 2 && computed > 0, "\(refused) refused, \(computed) computed")
    }
}
