import EngineModel
import Randomness
import Testing

@testable import Calibration

@Suite("Step-time fit")
struct StepTimeFitTests {
    static let truth = StepTimeCoefficients(
        decode: .init(
            constant: 8_000_000, perSequence: 20_000, perContextToken: 35, perSequenceBeyondHinge: 60_000,
            hingeSequences: 64),
        mixed: .init(
            constant: 10_000_000, perPrefillToken: 9_000, perTokenBeyondFirstHinge: 31_000,
            perTokenBeyondSecondHinge: -4_000, firstHinge: 160, secondHinge: 1056, perContextToken: 70,
            perPrefillArea: 2.5, perPrefillContextToken: 140, perSequence: 15_000))

    /// A grid of both regimes, timed by `truth` times what `factor` gives for each.
    static func samples(_ truth: StepTimeCoefficients = truth, factor: () -> Double = { 1 }) -> [StepSample] {
        let clock = StepClock(truth)
        var samples: [StepSample] = []
        func add(_ features: StepFeatures) {
            let seconds = clock.duration(of: features, noise: .none).seconds * factor()
            samples.append(StepSample(features: features, seconds: seconds))
        }
        for batch: Int64 in [1, 8, 16, 32, 64, 96, 128, 192, 256] {
            for context: Int64 in [64, 512, 2048] {
                add(StepFeatures(decodeSequences: batch, decodeContext: batch * context))
            }
        }
        for (index, chunk) in ([32, 128, 256, 512, 1024, 2048, 4096] as [Int64]).enumerated() {
            for (batch, context, behind) in [(0, 0, 0), (32, 300, 0), (32, 1500, 2000), (0, 0, 4000), (96, 700, 500)]
                as [(Int64, Int64, Int64)]
            {
                var features = StepFeatures(
                    decodeSequences: batch, decodeContext: batch * (context + Int64(index * 17)))
                features.addChunk(tokens: chunk, context: behind)
                add(features)
            }
        }
        return samples
    }

    @Test("Exact steps give the exact coefficients, hinges and all")
    func exact() throws {
        let fit = try StepTimeFit(Self.samples())
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-4 * abs(b) }
        let (d, m) = (fit.coefficients.decode, fit.coefficients.mixed)
        #expect(d.hingeSequences == 64)
        #expect(close(d.constant, 8_000_000) && close(d.perSequence, 20_000) && close(d.perContextToken, 35))
        #expect(close(d.perSequenceBeyondHinge, 60_000))
        #expect(m.firstHinge == 160 && m.secondHinge == 1056)
        #expect(close(m.perPrefillToken, 9_000) && close(m.perTokenBeyondFirstHinge, 31_000))
        #expect(close(m.perTokenBeyondSecondHinge, -4_000) && close(m.perContextToken, 70))
        #expect(close(m.perPrefillArea, 2.5) && close(m.perPrefillContextToken, 140) && close(m.perSequence, 15_000))
        #expect(fit.errors(on: Self.samples()).p90 < 1e-5)
        #expect(fit.undetermined.isEmpty)
        #expect(fit.validRange.prefillTokens == 4096 && fit.validRange.decodeSequences == 256)
    }

    @Test("Where nothing bends, no hinge is found", arguments: [1, 2, 3, 4])
    func noHinges(seed: UInt64) throws {
        var straight = Self.truth
        straight.decode.perSequenceBeyondHinge = 0
        straight.mixed.perTokenBeyondFirstHinge = 0
        straight.mixed.perTokenBeyondSecondHinge = 0
        let exact = try StepTimeFit(Self.samples(straight))
        #expect(exact.coefficients.decode.perSequenceBeyondHinge == 0)
        #expect(exact.coefficients.mixed.perTokenBeyondFirstHinge == 0)
        let noise = RandomStreams(seed: seed).generator("noise")
        let fit = try StepTimeFit(Self.samples(straight) { 1 + noise.normal(mean: 0, deviation: 0.01) })
        #expect(fit.errors(on: Self.samples(straight)).median < 0.01)
    }

    /// llama.cpp's kernels on a processor: one sequence costs less than each that joins it, until four, and then more again.
    @Test("A first sequence may cost less than those that join it")
    func cheapFirstSequence() throws {
        let truth = StepTimeCoefficients(
            decode: .init(
                constant: 7_000_000, perSequence: 0, perContextToken: 4_000, perSequenceBeyondHinge: 10_500_000,
                hingeSequences: 1, perSequenceBeyondSecondHinge: -7_000_000, secondHingeSequences: 4),
            mixed: Self.truth.mixed)
        let clock = StepClock(truth)
        let noise = RandomStreams(seed: 3).generator("noise")
        let decodes = (1...8).flatMap { batch in
            [20, 60, 150].map { context -> StepSample in
                let features = StepFeatures(decodeSequences: Int64(batch), decodeContext: Int64(batch * context))
                return StepSample(
                    features: features,
                    seconds: clock.duration(of: features, noise: .none).seconds * noise.normal(mean: 1, deviation: 0.01)
                )
            }
        }
        let fit = try StepTimeFit(decodes + Self.samples(truth).filter { !$0.features.isDecodeOnly })
        #expect(fit.coefficients.isMonotone)
        for sample in decodes {
            let exact = clock.duration(of: sample.features, noise: .none).seconds
            #expect(abs(fit.predicted(sample.features) / exact - 1) < 0.02, "\(sample.features.decodeSequences)")
        }
    }

    @Test("Steps with 3 % noise, a tenth of them doubled, give the true times to 5 %", arguments: [11, 12, 13, 14, 15])
    func outliers(seed: UInt64) throws {
        let generator = RandomStreams(seed: seed).generator("noise")
        let fit = try StepTimeFit(
            Self.samples {
                generator.normal(mean: 1, deviation: 0.03) * (generator.uniform() < 0.1 ? 2 : 1)
            })
        let errors = fit.errors(on: Self.samples())
        #expect(errors.median < 0.05, "median \(errors.median)")
        #expect(abs(errors.bias) < 0.04, "bias \(errors.bias)")
    }

    @Test("The covariance has the standard errors on its diagonal, and no regime errs with the other")
    func covariance() throws {
        let noise = RandomStreams(seed: 9).generator("noise")
        let fit = try StepTimeFit(Self.samples { 1 + noise.normal(mean: 0, deviation: 0.02) })
        let covariance = fit.covariance
        #expect(Set(covariance.names) == Set(fit.standardErrors.keys) && covariance.names.count > 6)
        for (row, name) in covariance.names.enumerated() {
            let error = try #require(fit.standardErrors[name])
            #expect(abs(covariance.values[row][row].squareRoot() - error) <= 1e-9 * error)
            for (column, other) in covariance.names.enumerated() where name.prefix(5) != other.prefix(5) {
                #expect(covariance.values[row][column] == 0)
            }
        }
        let decode = covariance.names.firstIndex(of: "decode.constant")!
        let slope = covariance.names.firstIndex(of: "decode.perSequence")!
        // A line through the same steps: a higher constant goes with a lower slope.
        #expect(covariance.values[decode][slope] != 0)
        let tied = covariance.tying("copy", to: "decode.constant")
        #expect(
            tied.values.last?.last == covariance.values[decode][decode]
                && tied.values.count == covariance.names.count + 1)
    }

    @Test("Noise is the deviation of single steps around the fit", arguments: [0.02, 0.1])
    func noise(deviation: Double) throws {
        let generator = RandomStreams(seed: 5).generator("noise")
        let fit = try StepTimeFit(Self.samples())
        let singles = (0..<20).flatMap { _ in
            Self.samples { generator.lognormal(logMean: 0, logDeviation: deviation) }
        }
        #expect(abs(fit.noise(of: singles) / deviation - 1) < 0.1)
    }

    @Test(
        "No coefficient but a hinge's is negative, and no token makes a step shorter",
        arguments: [21, 22, 23, 24, 25, 26])
    func signs(seed: UInt64) throws {
        let generator = RandomStreams(seed: seed).generator("noise")
        let fit = try StepTimeFit(Self.samples { generator.normal(mean: 1, deviation: 0.2).magnitude + 0.1 })
        let (d, m) = (fit.coefficients.decode, fit.coefficients.mixed)
        #expect([d.constant, d.perSequence, d.perContextToken].allSatisfy { $0 >= 0 })
        #expect(
            [
                m.constant, m.perPrefillToken, m.perContextToken, m.perPrefillArea, m.perPrefillContextToken,
                m.perSequence,
            ]
            .allSatisfy { $0 >= 0 })
        #expect(d.perSequence + d.perSequenceBeyondHinge >= 0)
        for slope in [m.perPrefillToken, m.perSequence] {
            #expect(slope + m.perTokenBeyondFirstHinge >= 0)
            #expect(slope + m.perTokenBeyondFirstHinge + m.perTokenBeyondSecondHinge >= 0)
        }
    }

    @Test("A table that never varies a feature says which coefficients it cannot tell")
    func undetermined() throws {
        // One context for all decodes, and prompts alone: as published tables often are.
        let samples = Self.samples().filter { sample in
            let f = sample.features
            return f.isDecodeOnly
                ? f.decodeContext == 512 * f.decodeSequences : f.decodeSequences + f.prefillContext == 0
        }
        let fit = try StepTimeFit(samples)
        #expect(
            fit.undetermined == [
                "decode.perContextToken", "mixed.perSequence", "mixed.perContextToken", "mixed.perPrefillContextToken",
            ])
        #expect(fit.errors(on: samples).median < 0.01)
    }

    @Test("A regime without steps is an error that names it")
    func missing() {
        let samples = Self.samples()
        #expect(throws: StepTimeFitError.noSteps(regime: "mixed")) {
            try StepTimeFit(samples.filter(\.features.isDecodeOnly))
        }
        #expect(throws: StepTimeFitError.noSteps(regime: "decode-only")) {
            try StepTimeFit(samples.filter { !$0.features.isDecodeOnly })
        }
        #expect(throws: StepTimeFitError.self) {
            try StepTimeFit(samples.map { StepSample(features: $0.features, seconds: 0) })
        }
    }
}
