import EngineModel
import Formats
import Randomness
import Testing
import Units

@testable import Calibration

@Suite("Steps from outside, refined")
struct EndpointFitTests {
    private static let truth = StepTimeCoefficients(
        decode: .init(constant: 5e6, perSequence: 2e6, perContextToken: 2e3),
        mixed: .init(constant: 9e6, perPrefillToken: 1e6, perContextToken: 2e3, perSequence: 1.7e6))
    private static let limits = (sequences: 8, tokens: 256)

    private struct Request {
        var sent: Instant
        var prompt: Int
        var output: Int
    }

    /// What an engine answers that computes all waiting prompts with its next step, on a machine whose steps take `pace` times
    /// as long.
    private static func answers(_ requests: [Request], pace: Double) -> [EndpointAnswer] {
        let clock = StepClock(truth.scaled(by: pace))
        var answers = requests.map {
            EndpointAnswer(sent: $0.sent, times: [], promptTokens: $0.prompt, outputTokens: $0.output)
        }
        var (now, next, running) = (requests[0].sent, 0, [Int]())
        while next < requests.count || !running.isEmpty {
            if running.isEmpty { now = max(now, requests[next].sent) }
            var features = StepFeatures()
            for index in running {
                features.decodeSequences += 1
                features.decodeContext += Int64(requests[index].prompt + answers[index].times.count - 1)
            }
            while next < requests.count, requests[next].sent <= now, running.count < limits.sequences,
                features.prefillTokens + features.decodeSequences + Int64(requests[next].prompt) <= limits.tokens
            {
                features.addChunk(tokens: Int64(requests[next].prompt), context: 0)
                running.append(next)
                next += 1
            }
            now += clock.duration(of: features, noise: .none).floored
            for index in running { answers[index].times.append(now) }
            running.removeAll { answers[$0].times.count == requests[$0].output }
        }
        return answers
    }

    /// Poisson arrivals.
    private static func load(_ name: String, rate: Double, count: Int = 300) -> [Request] {
        let generator = RandomStreams(seed: 6).generator(name)
        var time = 1.0
        return (0..<count).map { _ in
            time += generator.exponential(mean: 1 / rate)
            return Request(
                sent: .epoch + .estimate(seconds: time), prompt: 8 + generator.uniform(below: 48),
                output: 2 + generator.uniform(below: 16))
        }
    }

    private static func fit(paces: (alone: Double, light: Double, heavy: Double)) throws -> EndpointFit {
        var observation = EndpointObservation(
            engine: MeasuredRun.Engine(
                model: "m", vllmVersion: "", device: nil, maxSequences: limits.sequences,
                maxBatchedTokens: limits.tokens,
                maxContext: 512, blockSize: 16, kvBlocks: 4096, prefixCaching: false, asyncScheduling: false,
                tensorParallel: 1, dataParallel: 1, expertParallel: false))
        observation.singles = (0..<12).map { index in
            answers(
                [Request(sent: .epoch + .seconds(1 + Int64(index)), prompt: 8 + 4 * index, output: 8)],
                pace: paces.alone)
        }
        observation.loads = [
            answers(load("light", rate: 8), pace: paces.light), answers(load("heavy", rate: 22), pace: paces.heavy),
        ]
        let profile = EngineProfile(
            name: "x", model: "m", hardware: "h", acceleratorsPerReplica: 1, engine: "e", date: "2026-11-27",
            source: "s",
            stepTime: truth, noise: 0, kvTokens: 65_536, maxContext: 512, coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(decodeSequences: 8, decodeContext: 512, prefillTokens: 256, prefillContext: 0),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none",
                standardErrors: [:]), notes: [])
        var fit = try EndpointFit(observation, profile: profile)
        try fit.refine()
        return fit
    }

    @Test("Steps that are told right are not scaled, and a request alone shows what it spends beside them")
    func exact() throws {
        let fit = try Self.fit(paces: (1, 1, 1))
        #expect(abs(fit.decodeScale - 1) < 0.01 && abs(fit.mixedScale - 1) < 0.01)
        #expect((fit.profile.requestOverhead ?? .zero) < .milliseconds(1))
    }

    @Test("A machine that was slow during the heavy load and fast during the light one leaves the scales alone")
    func paces() throws {
        let fit = try Self.fit(paces: (1, 0.95, 1.05))
        #expect(abs(fit.decodeScale - 1) < 0.01, "\(fit.decodeScale)")
        #expect(abs(fit.mixedScale - 1) < 0.01, "\(fit.mixedScale)")
    }

    @Test("Steps that now and then take half as long again count in the mean, and stalls do not")
    func means() throws {
        let noise = RandomStreams(seed: 7).generator("late")
        var fit = try StepTimeFit(StepTimeFitTests.samples())
        let usual = fit.coefficients
        let late = (0..<4000).map { index -> StepSample in
            var features = StepFeatures(decodeSequences: Int64(1 + index % 8), decodeContext: Int64(40 + index % 300))
            if index % 2 == 0 { features.addChunk(tokens: Int64(8 + index % 50), context: 0) }
            let factor = noise.uniform() < 0.2 ? (features.isDecodeOnly ? 1.5 : 1.25) : 1
            return StepSample(features: features, seconds: fit.predicted(features) * (index % 500 == 7 ? 40 : factor))
        }
        fit.meetMeans(of: late)
        #expect(abs(fit.coefficients.decode.constant / usual.decode.constant - 1.1) < 0.02)
        #expect(abs(fit.coefficients.mixed.perPrefillToken / usual.mixed.perPrefillToken - 1.05) < 0.01)
    }
}
