import EngineModel
import Testing

@testable import Calibration
@testable import Formats

@Suite("Operating points")
struct OperatingPointTests {
    /// Points whose mean TTFT is 60 ms and what `waiting` requests without a place add to it.
    private func table(waiting: Double, model: String = "m") -> [OperatingPoint] {
        [8, 16, 32].flatMap { clients in
            [128, 256, 512].map { output in
                OperatingPoint(
                    id: "\(clients)-\(output)", model: model, system: "h100_sxm", backend: "trtllm",
                    backendVersion: "1", precision: "", tensorParallel: 1, promptTokens: 1024, outputTokens: output,
                    concurrency: clients, ttft: 60 + waiting * Double(output - 1) * 8 / Double(clients), tpot: 8)
            }
        }
    }

    @Test("Requests without a place show in how TTFT grows with the output", arguments: [0, 1, 3])
    func waiting(count: Int) {
        let points = table(waiting: Double(count)) + table(waiting: 7, model: "another")
        #expect(OperatingPointCheck.waitingClients(among: points, like: points[0]) == count)
    }

    @Test("A point alone of its kind tells of none")
    func alone() {
        let point = table(waiting: 2)[0]
        #expect(OperatingPointCheck.waitingClients(among: [point], like: point) == 0)
    }

    @Test("A request without a place waits for another's answer")
    func waits() throws {
        let coefficients = StepTimeCoefficients(
            decode: .init(constant: 8e6, perSequence: 0, perContextToken: 0),
            mixed: .init(constant: 8e6, perPrefillToken: 1e4))
        let profile = EngineProfile(
            name: "flat", model: "m", hardware: "h100", acceleratorsPerReplica: 1, engine: "none", date: "2026-11-26",
            source: "made for tests", stepTime: coefficients, noise: 0, kvTokens: 1 << 20, maxContext: 1 << 16,
            coldStart: .init(source: "none"),
            validRange: .init(decodeSequences: 64, decodeContext: 65_536, prefillTokens: 512, prefillContext: 512),
            fit: FitQuality(
                fitted: 1, heldOut: 1, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
        let point = table(waiting: 0)[2]
        let all = try OperatingPointCheck(point, profile: profile)
        let short = try OperatingPointCheck(point, profile: profile, waiting: 1)
        // 0.9 × 511 tokens of 8 ms and more, shared by 8 clients.
        #expect(short.ttft - all.ttft > 0.9 * 511 * 8 / 8 * 0.8)
        #expect(short.ttft - all.ttft < 0.9 * 511 * 8 / 8 * 1.6)
    }
}
