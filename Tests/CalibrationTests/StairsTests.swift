import EngineModel
import Randomness
import Testing

@testable import Calibration

/// Decode steps of an engine whose kernels take up four sequences, and then two or four more, at a time.
@Suite("Stairs of decode steps")
struct StairsTests {
    /// Milliseconds by the number of sequences: our core's with four-bit weights, one thread, as measured.
    private static let tiled = [
        5.73, 6.17, 7.85, 9.18, 15.9, 15.0, 20.1, 21.1, 26.8, 28.0, 29.5, 31.1, 34.3, 34.2, 35.3, 36.8,
    ]

    private static func steps(_ milliseconds: [Double], repeats: Int = 60) -> [StepSample] {
        let noise = RandomStreams(seed: 4).generator("noise")
        return milliseconds.enumerated().flatMap { index, time in
            (0..<repeats).map { _ in
                let sequences = Int64(index + 1)
                let context = sequences * Int64(10 + noise.uniform(below: 70))
                // One in twenty was read late.
                let late = noise.uniform() < 0.05 ? 1.5 : 1
                return StepSample(
                    features: StepFeatures(decodeSequences: sequences, decodeContext: context),
                    seconds: (time * 1e-3 + Double(context) * 4e-6) * late * noise.normal(mean: 1, deviation: 0.03))
            }
        }
    }

    private static func fit(_ decodes: [StepSample]) throws -> StepTimeFit {
        let mixed = StepTimeFitTests.samples().filter { !$0.features.isDecodeOnly }
        return try StepTimeFit(decodes + mixed)
    }

    @Test("Every width has its own time, which hinges alone miss by a sixth")
    func everyWidth() throws {
        let steps = Self.steps(Self.tiled)
        var fit = try Self.fit(steps)
        func worst(_ fit: StepTimeFit) -> Double {
            Self.tiled.enumerated().map { index, time in
                let sequences = Int64(index + 1)
                let features = StepFeatures(decodeSequences: sequences, decodeContext: 40 * sequences)
                let exact = time * 1e-3 + 40 * Double(sequences) * 4e-6
                return abs(fit.predicted(features) / exact - 1)
            }.max()!
        }
        #expect(worst(fit) > 0.15)
        let noise = fit.noise(of: steps)
        fit.findStairs(among: steps)
        // A sixth sequence seemed to make a step shorter, so five and six take the same.
        #expect(worst(fit) < 0.04, "\(worst(fit))")
        #expect(fit.coefficients.isMonotone)
        #expect(fit.coefficients.decode.stairs.count == 16)
        #expect(fit.noise(of: steps) < 0.7 * noise)
        #expect(fit.remarks.joined().contains("the stairs"))
    }

    @Test("Where there are none, none are found")
    func straight() throws {
        let steps = Self.steps((1...16).map { 6 + 2 * Double($0) })
        var fit = try Self.fit(steps)
        fit.findStairs(among: steps)
        #expect(fit.coefficients.decode.stairs.isEmpty)
    }

    @Test("Widths that were hardly seen lie between the others, and before the first nothing takes more than it")
    func gaps() throws {
        let steps = Self.steps(Self.tiled).filter { [2, 3, 4, 5, 8, 9, 12, 16].contains($0.features.decodeSequences) }
        let rare = Self.steps(Self.tiled, repeats: 7).filter { $0.features.decodeSequences == 7 }
        var fit = try Self.fit(steps + rare)
        fit.findStairs(among: steps + rare)
        let decode = fit.coefficients.decode
        #expect(fit.coefficients.isMonotone && decode.stairs.count == 16)
        let cost = { decode.cost(ofSequences: $0) }
        for between in 6...7 {
            let share = Double(between - 5) / 3
            #expect(abs(cost(Double(between)) - (cost(5) + (cost(8) - cost(5)) * share)) < 1)
        }
        #expect(cost(1) <= cost(2))
        // Beyond the last the curve goes on from there.
        #expect(cost(17) >= cost(16))
    }
}
