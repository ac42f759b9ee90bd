import EngineModel
import Randomness
import Statistics

/// How often the 95 % intervals of a fit hold the truth: known coefficients, measured again and again with new noise.
///
///     IntervalCoverage(of: coefficients, at: steps, deviation: 0.02, refits: 1000).share    // 0.95 when intervals are right
///
/// Hinges are left as they are found, so a bend that noise invents counts against the intervals.
public struct IntervalCoverage: Hashable, Sendable {
    /// Intervals drawn, and those that held the truth, by coefficient.
    public private(set) var intervals: [String: Int] = [:]
    public private(set) var held: [String: Int] = [:]
    public private(set) var refits: Int

    /// - Parameters:
    ///   - truth: Coefficients without host overhead.
    ///   - design: Steps of both regimes that are measured in each refit.
    ///   - deviation: Of the noise of a step, relative to it.
    /// - Throws: ``StepTimeFitError`` when the design does not determine the coefficients.
    public init(
        of truth: StepTimeCoefficients, at design: [StepFeatures], deviation: Double, refits: Int, seed: UInt64 = 1
    ) throws(StepTimeFitError) {
        self.refits = refits
        let clock = StepClock(truth)
        let times = design.map { clock.duration(of: $0, noise: .none).seconds }
        let decodes = design.count { $0.isDecodeOnly }
        let generator = RandomStreams(seed: seed).generator("coverage")
        for _ in 0..<refits {
            let samples = zip(design, times).map {
                StepSample(features: $0, seconds: $1 * generator.normal(mean: 1, deviation: deviation))
            }
            let fit = try StepTimeFit(samples)
            for (name, error) in fit.standardErrors {
                let path = StepTimeCoefficients.fitted.first { $0.name == name }!.keyPath
                let steps = name.hasPrefix("decode") ? decodes : design.count - decodes
                let free = fit.standardErrors.keys.count { $0.prefix(5) == name.prefix(5) }
                let reach = studentQuantile(0.975, degreesOfFreedom: Double(steps - free)) * error
                intervals[name, default: 0] += 1
                if abs(fit.coefficients[keyPath: path] - truth[keyPath: path]) <= reach { held[name, default: 0] += 1 }
            }
        }
    }

    /// The share of all intervals that held the truth.
    public var share: Double {
        Double(held.values.reduce(0, +)) / Double(max(1, intervals.values.reduce(0, +)))
    }

    /// The same by coefficient, in order of name.
    public var shares: [(name: String, share: Double)] {
        intervals.keys.sorted().map { ($0, Double(held[$0] ?? 0) / Double(intervals[$0]!)) }
    }
}

extension IntervalCoverage {
    /// Steps of both regimes that tell all coefficients apart.
    public static var design: [StepFeatures] {
        var steps: [StepFeatures] = []
        for batch: Int64 in [1, 8, 16, 32, 64, 96, 128, 192, 256] {
            for context: Int64 in [64, 512, 2048] {
                steps.append(StepFeatures(decodeSequences: batch, decodeContext: batch * context))
            }
        }
        let mixes: [(batch: Int64, context: Int64, behind: Int64)] = [
            (0, 0, 0), (32, 300, 0), (32, 1500, 2000), (0, 0, 4000), (96, 700, 500), (8, 900, 1000),
        ]
        for (index, chunk) in ([32, 128, 256, 512, 1024, 2048, 4096] as [Int64]).enumerated() {
            for mix in mixes {
                var step = StepFeatures(
                    decodeSequences: mix.batch, decodeContext: mix.batch * (mix.context + Int64(index * 17)))
                step.addChunk(tokens: chunk, context: mix.behind)
                steps.append(step)
            }
        }
        return steps
    }
}
