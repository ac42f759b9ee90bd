import EngineModel
import Randomness
import Testing

@testable import Calibration

@Suite("Intervals of coefficients")
struct IntervalCoverageTests {
    /// Without bends, so that every coefficient means the same in every refit.
    static let truth = StepTimeCoefficients(
        decode: .init(constant: 8e6, perSequence: 20_000, perContextToken: 35),
        mixed: .init(
            constant: 10e6, perPrefillToken: 40_000, perContextToken: 70, perPrefillArea: 2.5,
            perPrefillContextToken: 140, perSequence: 15_000))

    @Test("Refitted to resampled steps, 95 % intervals hold the truth 93 to 97 times in 100")
    func coverage() throws {
        let coverage = try IntervalCoverage(
            of: Self.truth, at: IntervalCoverage.design, deviation: 0.02, refits: 60, seed: 3)
        #expect(coverage.shares.count >= 8)
        #expect(coverage.share >= 0.93 && coverage.share <= 0.97, "\(coverage.share) \(coverage.shares)")
    }

    /// Steps around a curve that bends, those of much context noisier than the others.
    static func steps(seed: UInt64) -> [StepSample] {
        let noise = RandomStreams(seed: seed).generator("noise")
        let clock = StepClock(StepTimeFitTests.truth)
        var steps: [StepFeatures] = []
        for batch: Int64 in [1, 4, 8, 16, 32, 64, 96, 128, 192, 256] {
            for context: Int64 in [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096] {
                steps.append(StepFeatures(decodeSequences: batch, decodeContext: batch * context))
                var step = steps[steps.count - 1]
                step.addChunk(
                    tokens: [32, 64, 128, 512, 1024, 2048, 4096][steps.count / 2 % 7], context: context % 5 * 400)
                steps.append(step)
            }
        }
        return steps.map { step in
            let deviation = step.decodeContext > 20_000 ? 0.04 : 0.015
            return StepSample(
                features: step,
                seconds: clock.duration(of: step, noise: .none).seconds * noise.normal(mean: 1, deviation: deviation))
        }
    }

    @Test(
        "Drawn again around its own fit or step by step, a bent curve is held 93 to 97 times in 100",
        arguments: [IntervalCoverage.Drawing.errors, .steps])
    func ownSteps(drawing: IntervalCoverage.Drawing) throws {
        let samples = Self.steps(seed: 2)
        let fit = try StepTimeFit(samples)
        #expect(fit.coefficients.decode.hingeSequences > 0 && fit.coefficients.mixed.firstHinge > 0)
        let coverage = try IntervalCoverage(
            of: fit.coefficients, to: samples, drawing: drawing, refits: 60, seed: 4)
        #expect(coverage.bentAlike == 60 && coverage.shares.count >= 10)
        #expect(coverage.share >= 0.93 && coverage.share <= 0.97, "\(coverage.share) \(coverage.shares)")
        #expect(coverage.shares.allSatisfy { $0.share > 0.8 }, "\(coverage.shares)")
    }

    @Test("Hinges that are kept are where they were, also where no search would put them")
    func keptHinges() throws {
        var bent = StepTimeFitTests.truth
        (bent.decode.hingeSequences, bent.mixed.firstHinge, bent.mixed.secondHinge) = (8, 128, 0)
        let found = try StepTimeFit(StepTimeFitTests.samples(), bentAs: bent).coefficients
        #expect(found.decode.hingeSequences == 8 && found.mixed.firstHinge == 128 && found.mixed.secondHinge == 0)
        #expect(found.mixed.perTokenBeyondSecondHinge == 0)
        let coverage = try IntervalCoverage(
            of: bent, to: StepTimeFitTests.samples { 1 }, drawing: .errors, hinges: .searched, refits: 1)
        #expect(coverage.bentAlike == 0)
    }

    @Test("A profile of the core tells the steps of its design")
    func coreDesign() throws {
        var profile = EngineProfile(
            name: "core", model: "m", hardware: "CPU", acceleratorsPerReplica: 1, engine: "tidegate core",
            date: "2026-11-27", source: "a test", stepTime: Self.truth, noise: 0, kvTokens: 8192, maxContext: 2048,
            coldStart: ColdStartProfile(source: "a test"),
            validRange: ValidRange(
                decodeSequences: 32, decodeContext: 6144, prefillTokens: 512, prefillContext: 1024),
            fit: FitQuality(
                fitted: 108, heldOut: 48, medianAbsoluteError: 0.03, p90AbsoluteError: 0.08, bias: 0,
                heldOutDescription: "a test"), notes: [])
        let design = try #require(CoreCalibrator.design(of: profile))
        #expect(design.count == 108 && design.map(\.prefillTokens).max() == 512)
        profile.fit.fitted = 107
        #expect(CoreCalibrator.design(of: profile) == nil)
        profile.engine = "vLLM"
        #expect(CoreCalibrator.design(of: profile) == nil)
    }
}
