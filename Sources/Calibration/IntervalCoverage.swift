import EngineModel
import Randomness
import Statistics

/// How often the 95 % intervals of a fit hold the truth: steps of a known curve, drawn again and fitted again.
///
///     IntervalCoverage(of: fit.coefficients, to: steps, drawing: .errors, refits: 400).share   // 0.95 when intervals are right
///
/// A coefficient is what it is given the hinges: bent elsewhere, the same curve has other slopes. So refits bend where the
/// truth does, as intervals are of coefficients given the hinges. `.searched` repeats the search too, and each hinge
/// that is then found elsewhere, or that noise invents, counts as misses.
public struct IntervalCoverage: Hashable, Sendable {
    /// What is drawn again of measured steps.
    public enum Drawing: Hashable, Sendable {
        /// Each step's error, from those of its regime: the same steps, measured again on an engine that errs alike
        /// everywhere.
        case errors
        /// Whole steps with their errors: other steps of the same kind.
        case steps
    }

    public enum Hinges: Hashable, Sendable {
        case kept
        case searched
    }

    /// Intervals drawn, and those that held the truth, by coefficient.
    public private(set) var intervals: [String: Int] = [:]
    public private(set) var held: [String: Int] = [:]
    public private(set) var refits: Int
    /// Refits with the truth's own hinges.
    public private(set) var bentAlike = 0

    /// Steps that were measured, around the curve that was fitted to them.
    ///
    /// - Parameters:
    ///   - truth: What was fitted to `samples`, without host overhead.
    ///   - samples: Steps of both regimes.
    /// - Throws: ``StepTimeFitError`` when drawn steps do not determine the coefficients.
    public init(
        of truth: StepTimeCoefficients, to samples: [StepSample], drawing: Drawing, hinges: Hinges = .kept, refits: Int,
        seed: UInt64 = 1
    ) throws(StepTimeFitError) {
        let curve = Self.times(of: truth, at: samples.map(\.features))
        // Measured over fitted: fits count errors relative to the step, so each fits any other.
        let errors = zip(samples, curve).map { $0.seconds / $1 }
        let decodes = samples.indices.filter { samples[$0].features.isDecodeOnly }
        let mixed = samples.indices.filter { !samples[$0].features.isDecodeOnly }
        try self.init(of: truth, hinges: hinges, refits: refits, seed: seed) { generator in
            samples.indices.map { index in
                let regime = samples[index].features.isDecodeOnly ? decodes : mixed
                let other = regime[generator.uniform(below: regime.count)]
                switch drawing {
                case .errors:
                    return StepSample(features: samples[index].features, seconds: curve[index] * errors[other])
                case .steps: return samples[other]
                }
            }
        }
    }

    /// Steps of a design, with normal noise.
    ///
    /// - Parameters:
    ///   - truth: Coefficients without host overhead.
    ///   - design: Steps of both regimes that are measured in each refit.
    ///   - deviation: Of the noise of a step, relative to it.
    /// - Throws: ``StepTimeFitError`` when the design does not determine the coefficients.
    public init(
        of truth: StepTimeCoefficients, at design: [StepFeatures], deviation: Double, hinges: Hinges = .searched,
        refits: Int, seed: UInt64 = 1
    ) throws(StepTimeFitError) {
        let curve = Self.times(of: truth, at: design)
        try self.init(of: truth, hinges: hinges, refits: refits, seed: seed) { generator in
            zip(design, curve).map {
                StepSample(features: $0, seconds: $1 * generator.normal(mean: 1, deviation: deviation))
            }
        }
    }

    private init(
        of truth: StepTimeCoefficients, hinges: Hinges, refits: Int, seed: UInt64,
        drawing: (RandomGenerator) -> [StepSample]
    ) throws(StepTimeFitError) {
        self.refits = refits
        let generator = RandomStreams(seed: seed).generator("coverage")
        for _ in 0..<refits {
            let samples = drawing(generator)
            let fit = try StepTimeFit(samples, bentAs: hinges == .kept ? truth : nil)
            count(fit, of: samples, against: truth)
        }
    }

    private mutating func count(_ fit: StepTimeFit, of samples: [StepSample], against truth: StepTimeCoefficients) {
        let decodes = samples.count { $0.features.isDecodeOnly }
        let found = fit.coefficients
        if found.decode.knots == truth.decode.knots, found.mixed.knots == truth.mixed.knots { bentAlike += 1 }
        for (name, error) in fit.standardErrors {
            let path = StepTimeCoefficients.fitted.first { $0.name == name }!.keyPath
            let steps = name.hasPrefix("decode") ? decodes : samples.count - decodes
            let free = fit.standardErrors.keys.count { $0.prefix(5) == name.prefix(5) }
            let reach = studentQuantile(0.975, degreesOfFreedom: Double(steps - free)) * error
            intervals[name, default: 0] += 1
            if abs(found[keyPath: path] - truth[keyPath: path]) <= reach { held[name, default: 0] += 1 }
        }
    }

    private static func times(of truth: StepTimeCoefficients, at design: [StepFeatures]) -> [Double] {
        let clock = StepClock(truth)
        return design.map { clock.duration(of: $0, noise: .none).seconds }
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
