import EngineModel
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
}
