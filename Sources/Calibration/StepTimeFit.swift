import EngineModel
import Statistics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Why measured steps give no step-time model.
public enum StepTimeFitError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The regime has no steps at all.
    case noSteps(regime: String)
    /// Its steps do not determine the coefficients.
    case unsolvable(regime: String, LeastSquaresError)

    public var description: String {
        switch self {
        case .noSteps(let regime): "there is no \(regime) step among the measurements"
        case .unsolvable(let regime, let reason): "the \(regime) steps do not determine a fit: \(reason)"
        }
    }
}

/// The two-regime model of step time, fitted to measured steps: of a core on this machine, or from a published table.
///
///     let fit = try StepTimeFit(samples)
///     fit.coefficients                     // what a profile carries
///     fit.errors(on: heldOut).median       // on steps that the fit did not see
///
/// Each regime is a linear model whose errors count relative to the step, with coefficients that cannot be negative,
/// and hinges where they pay: knots are searched among the measured values, and a hinge stays only where it lowers the
/// Bayesian information criterion (Schwarz 1978). Huber's loss keeps a disturbed measurement from bending the fit.
public struct StepTimeFit: Hashable, Sendable {
    public var coefficients: StepTimeCoefficients
    /// Standard errors by coefficient, such as `decode.perSequence`, in ns; those held at 0 are absent. They are of the
    /// coefficients given the hinges: bent elsewhere, the same curve has other slopes.
    public var standardErrors: [String: Double]
    /// How they go together. The two regimes are fitted apart, so no error of one goes with one of the other.
    public var covariance: CoefficientCovariance
    /// Coefficients that these steps cannot tell, because their feature is always 0 or follows from others. They are 0.
    public var undetermined: [String]
    /// The steps that were fitted.
    public var fittedCount: Int
    public var validRange: ValidRange

    /// - Parameters:
    ///   - samples: Steps of both regimes: decode-only ones, and ones with prefill tokens.
    ///   - bent: Coefficients whose hinges are kept where they are, in place of a search.
    /// - Throws: ``StepTimeFitError``.
    public init(_ samples: [StepSample], bentAs bent: StepTimeCoefficients? = nil) throws(StepTimeFitError) {
        let decode = try StepTimeRegime.decode.fitted(
            to: samples.filter(\.features.isDecodeOnly), at: bent?.decode.knots)
        let mixed = try StepTimeRegime.mixed.fitted(
            to: samples.filter { !$0.features.isDecodeOnly }, at: bent?.mixed.knots)
        coefficients = StepTimeCoefficients(
            decode: .init(
                constant: decode["constant"], perSequence: decode["perSequence"],
                perContextToken: decode["perContextToken"], perSequenceBeyondHinge: decode["beyondHinge"],
                hingeSequences: decode.knots.first ?? 0, perSequenceBeyondSecondHinge: decode["beyondSecondHinge"],
                secondHingeSequences: decode.knots.dropFirst().first ?? 0),
            mixed: .init(
                constant: mixed["constant"], perPrefillToken: mixed["perPrefillToken"],
                perTokenBeyondFirstHinge: mixed["beyondHinge"], perTokenBeyondSecondHinge: mixed["beyondSecondHinge"],
                firstHinge: mixed.knots.first ?? 0, secondHinge: mixed.knots.dropFirst().first ?? 0,
                perContextToken: mixed["perContextToken"], perPrefillArea: mixed["perPrefillArea"],
                perPrefillContextToken: mixed["perPrefillContextToken"], perSequence: mixed["perSequence"]))
        standardErrors = [:]
        for (prefix, regime) in [("decode.", decode), ("mixed.", mixed)] {
            for (name, error) in zip(regime.names, regime.fit.standardErrors) where error > 0 {
                standardErrors[prefix + name] = error
            }
        }
        covariance = Self.covariance([("decode.", decode), ("mixed.", mixed)])
        undetermined = decode.undetermined.map { "decode." + $0 } + mixed.undetermined.map { "mixed." + $0 }
        fittedCount = samples.count
        validRange = ValidRange(of: samples)
    }

    /// The covariance of both regimes' coefficients, without those held at 0.
    private static func covariance(_ regimes: [(prefix: String, fitted: StepTimeRegime.Fitted)])
        -> CoefficientCovariance
    {
        let free = regimes.enumerated().flatMap { regime, part in
            part.fitted.names.indices.filter { part.fitted.fit.standardErrors[$0] > 0 }.map { (regime, $0) }
        }
        return CoefficientCovariance(
            names: free.map { regimes[$0].prefix + regimes[$0].fitted.names[$1] },
            values: free.map { a in
                free.map { b in a.0 == b.0 ? regimes[a.0].fitted.fit.covariance[a.1][b.1] : 0 }
            })
    }

    /// What a reader of the intervals must know, a sentence each.
    var remarks: [String] {
        let isBent = !coefficients.decode.knots.isEmpty || !coefficients.mixed.knots.isEmpty
        let bends = isBent ? ["hinges"] : []
        let given = (bends + (coefficients.decode.stairs.isEmpty ? [] : ["stairs"])).joined(separator: " and the ")
        guard !given.isEmpty else { return [] }
        return ["Standard errors are of the coefficients given the \(given), which were chosen by the same steps."]
    }

    /// The step's duration in seconds, as the simulator will charge it: from the quantised coefficients.
    public func predicted(_ features: StepFeatures) -> Double {
        StepClock(coefficients).duration(of: features, noise: .none).seconds
    }

    /// How far the fit lies from these steps.
    ///
    /// - Precondition: there is at least one.
    public func errors(on samples: [StepSample]) -> PredictionErrors {
        precondition(!samples.isEmpty, "no steps to compare with")
        let relative = samples.map { (predicted($0.features) - $0.seconds) / $0.seconds }
        let sizes = relative.map(\.magnitude).sorted()
        return PredictionErrors(
            count: samples.count, median: quantile(of: sizes, 0.5)!, p90: quantile(of: sizes, 0.9)!,
            bias: relative.reduce(0, +) / Double(relative.count))
    }

    /// How many times as long as the fit says a step may take to count in a mean: what is beyond is a stall.
    private static let longest = 2.0

    /// Scales each regime so that these steps take as long in all as the fit says. A robust fit tells the usual step; but some
    /// take longer and none takes much less, and a queue waits for the mean.
    ///
    /// - Parameter samples: As they come under load, stalls and all.
    mutating func meetMeans(of samples: [StepSample]) {
        func scale(_ isOfRegime: (StepSample) -> Bool) -> Double {
            let sums = samples.filter(isOfRegime).reduce((took: 0.0, said: 0.0)) { sums, sample in
                let said = predicted(sample.features)
                guard sample.seconds < Self.longest * said else { return sums }
                return (sums.took + sample.seconds, sums.said + said)
            }
            return sums.said > 0 ? sums.took / sums.said : 1
        }
        let (decode, mixed) = (scale(\.features.isDecodeOnly), scale { !$0.features.isDecodeOnly })
        coefficients.decode = coefficients.scaled(by: decode).decode
        coefficients.mixed = coefficients.scaled(by: mixed).mixed
    }

    /// The standard deviation of the logarithm of these steps around the fit, from the median so that a few disturbed
    /// steps do not count: for normal noise the median magnitude is 0.6745 deviations.
    ///
    /// - Parameter samples: Single steps, not medians of repeats.
    public func noise(of samples: [StepSample]) -> Double {
        let sizes = samples.map { log($0.seconds / predicted($0.features)).magnitude }.sorted()
        return (quantile(of: sizes, 0.5) ?? 0) / 0.6745
    }
}

extension StepTimeCoefficients.Decode {
    /// Sequences where the step time bends.
    var knots: [Int64] { [hingeSequences, secondHingeSequences].filter { $0 > 0 } }
}

extension StepTimeCoefficients.Mixed {
    /// Tokens where the step time bends.
    var knots: [Int64] { [firstHinge, secondHinge].filter { $0 > 0 } }
}
