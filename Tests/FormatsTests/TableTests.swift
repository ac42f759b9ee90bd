import Foundation
import Testing
import Units

@testable import EngineModel
@testable import Formats

@Suite("Measured tables")
struct TableTests {
    @Test("Every published layer table reads", .enabled(if: Shared.exists, "no data"))
    func layers() throws {
        let root = Shared.path("profiles/llmservingsim_layer_profiles")
        for name in try FileManager.default.contentsOfDirectory(atPath: root).sorted() {
            let tables = try LayerTables.read(folder: "\(root)/\(name)")
            #expect(tables.attention.count > 1000)
            #expect(tables.experts.isEmpty == !name.contains("30B-A3B"))
            #expect(tables.meta.profiledLayers == 1)
        }
        let tables = try LayerTables.read(folder: "\(root)/RTX4090_Llama-3.1-8B_tp1")
        #expect(tables.meta.gpu == "NVIDIA GeForce RTX 4090")
        #expect(tables.meta.isEager)
        #expect(tables.dense.first == .init(layer: "act_fn", tokens: 1, microseconds: 2.592))
        #expect(tables.perSequence.first == .init(layer: "lm_head", sequences: 1, microseconds: 1096.93))
        #expect(
            tables.attention.first
                == .init(
                    prefillChunk: 0, prefillContext: 0, decodeSequences: 1, decodeContext: 16, microseconds: 9.31067))
    }

    @Test("The Splitwise table reads whole", .enabled(if: Shared.exists, "no data"))
    func splitwise() throws {
        let rows = try SplitwiseRow.read(path: Shared.path("profiles/splitwise_perf_model.csv"))
        #expect(rows.count == 1260)
        #expect(rows[0].promptTime == 196.2532191537321)
        #expect(rows[0].tensorParallel == 2)
    }

    @Test("A folder with several mistakes gives all of them")
    func mistakes() throws {
        let folder = try TemporaryFolder()
        try folder.write("meta.yaml", "gpu: X\nmodel: m\nvariant: v\n")
        try folder.write("dense.csv", "layer,tokens,time_us\nmlp,1,nan\n")
        try folder.write("per_sequence.csv", "layer,time_us\n")
        try folder.write("attention.csv", "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,-5,1.0\n")
        let found = #expect(throws: InvalidInput.self) { try LayerTables.read(folder: folder.url.path) }
        let lines = found?.diagnostics.map { "\($0.file.split(separator: "/").last!):\($0.line):\($0.column)" }
        #expect(lines == ["attention.csv:2:7", "dense.csv:2:7", "meta.yaml:1:1", "per_sequence.csv:1:1"])
    }
}

@Suite("Engine profiles")
struct EngineProfileFileTests {
    static let profile = EngineProfile(
        name: "test", model: "m", hardware: "H100-80GB", acceleratorsPerReplica: 4, engine: "e", date: "2026-03-02",
        source: "made up for a test",
        stepTime: StepTimeCoefficients(
            decode: .init(constant: 1e7, perSequence: 25_000.5, perContextToken: 12.25),
            mixed: .init(constant: 1.1e7, perPrefillToken: 60_000, perTokenBeyondFirstHinge: -3.5, firstHinge: 512)),
        noise: 0.02, kvTokens: 400_000, maxContext: 4096,
        coldStart: ColdStartProfile(load: .seconds(45), source: "measured"),
        validRange: ValidRange(decodeSequences: 64, decodeContext: 200_000, prefillTokens: 2048, prefillContext: 4096),
        fit: FitQuality(
            fitted: 10, heldOut: 5, medianAbsoluteError: 0.03, p90AbsoluteError: 0.08, bias: -0.01,
            heldOutDescription: "a fifth", standardErrors: ["decode.constant": 12.5],
            covariance: CoefficientCovariance(
                names: ["decode.constant", "mixed.constant"], values: [[156.25, -2], [-2, 9]])),
        notes: ["a note: with a colon, and 'quotes' \"of\" both kinds, and a tab\t"])

    @Test("A profile reads back as it was written")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("p.json", try EngineProfileFile.text(of: Self.profile))
        #expect(try EngineProfileFile.read(path: path) == Self.profile)
    }

    @Test("So does one of a server, with its scheduler and its error on a load that was not fitted")
    func endpointRoundTrip() throws {
        let folder = try TemporaryFolder()
        var profile = Self.profile
        profile.requestOverhead = TimeSpan(nanoseconds: 310_007)
        profile.stepTime.decode.stairs = [-120.5, 0, 88]
        profile.scheduler = MeasuredScheduler(
            maxNumSeqs: 8, maxNumBatchedTokens: 2048, asyncScheduling: true, source: "told by the server")
        profile.heldOutLoad = HeldOutLoad(
            description: "pairs", requests: 200, errorPercent: ["ttft": ["mean": -2.5], "itl": ["mean": 1, "p99": 3]])
        let text = try EngineProfileFile.text(of: profile)
        #expect(try EngineProfileFile.read(path: try folder.write("p.json", text)) == profile)
        let broken = text.replacing("\"maxNumSeqs\" : 8", with: "\"maxNumSeqs\" : 4096")
        let found = #expect(throws: InvalidInput.self) {
            try EngineProfileFile.read(path: try folder.write("q.json", broken))
        }
        #expect(found?.diagnostics.map(\.message) == ["4096 sequences need more than 2048 tokens a step"])
    }

    @Test("A flight of stairs without end is refused")
    func manyStairs() throws {
        let folder = try TemporaryFolder()
        var profile = Self.profile
        profile.stepTime.decode.stairs = Array(repeating: 1, count: 65_537)
        let path = try folder.write("p.json", try EngineProfileFile.text(of: profile))
        let found = #expect(throws: InvalidInput.self) { try EngineProfileFile.read(path: path) }
        #expect(found?.diagnostics.map(\.message) == ["65537 stairs are too many"])
    }

    @Test("A matrix that is no covariance is refused", arguments: [("-2", "-50"), ("mixed.constant", "mixed.constnt")])
    func covariance(written: String, wrong: String) throws {
        let folder = try TemporaryFolder()
        let text = try EngineProfileFile.text(of: Self.profile)
        let head = try #require(text.firstRange(of: "\"covariance\""))
        let broken =
            text[..<head.lowerBound] + text[head.lowerBound...].replacing(written, with: wrong, maxReplacements: 1)
        let found = #expect(throws: InvalidInput.self) {
            try EngineProfileFile.read(path: try folder.write("p.json", String(broken)))
        }
        let messages = found?.diagnostics.map(\.message) ?? []
        #expect(messages.count == 1 && messages[0].contains(wrong == "-50" ? "is none" : "does not exist"))
    }

    @Test("A profile with several mistakes gives all of them with their places")
    func mistakes() throws {
        let folder = try TemporaryFolder()
        let text = try EngineProfileFile.text(of: Self.profile)
            .replacing("\"noise\" : 0.02", with: "\"noise\" : -1").replacing("\"45s\"", with: "\"45\"")
            .replacing("\"kvTokens\"", with: "\"kvToken\"")
        let path = try folder.write("p.json", text)
        let found = #expect(throws: InvalidInput.self) { try EngineProfileFile.read(path: path) }
        let messages = found?.diagnostics.map(\.message)
        #expect(
            messages == [
                "profile has no 'kvTokens'", "load '45' has no unit", "profile has no key 'kvToken'",
                "noise '-1' is negative",
            ])
        #expect(found?.diagnostics.last?.line == text.split(separator: "\n").firstIndex { $0.contains("noise") }! + 1)
    }
}
