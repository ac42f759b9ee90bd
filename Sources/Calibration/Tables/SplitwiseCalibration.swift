import EngineModel
import Formats
import Statistics

/// A profile from the Splitwise measurements: prompt and token times of whole batches on a real engine.
///
/// The table times a batch of equal prompts on its own (`prompt_time`) and the decode steps that follow (`token_time`,
/// their mean), never a step that mixes both. So prefill and decode are fitted apart, and a mixed step is priced as its
/// prefill plus what its decodes add in a decode-only step: the composition that came within 1.5 % of measured vLLM runs
/// elsewhere (Docs/Decisions/0004-step-time.md). With so few configurations each is predicted from all the others.
public struct SplitwiseCalibration: Sendable {
    private var prefills: [StepSample]
    private var decodes: [StepSample]
    private var model: String
    private var hardware: String
    private var tensorParallel: Int
    private var kvTokens: Int64
    private var maxContext: Int64
    /// Standard deviation of the logarithm of repeats around their median.
    private var noise: Double

    /// - Throws: ``TableCalibrationError`` when no row is of this model, hardware and degree.
    public init(
        _ rows: [SplitwiseRow], model: String, hardware: String, tensorParallel: Int, kvTokens: Int64, maxContext: Int64
    ) throws(TableCalibrationError) {
        let chosen = rows.filter {
            $0.model == model && $0.hardware == hardware && $0.tensorParallel == tensorParallel
        }
        guard !chosen.isEmpty else {
            var available: [String] = []
            for row in rows {
                let name = "\(row.model) \(row.hardware) \(row.tensorParallel)"
                if !available.contains(name) { available.append(name) }
            }
            throw .noRows(wanted: "\(model) \(hardware) \(tensorParallel)", available: available)
        }
        self.model = model
        self.hardware = hardware
        self.tensorParallel = tensorParallel
        self.kvTokens = kvTokens
        self.maxContext = maxContext
        let prefill = Self.medians(chosen, features: Self.prefillFeatures, milliseconds: \.promptTime)
        let decode = Self.medians(chosen, features: Self.decodeFeatures, milliseconds: \.tokenTime)
        prefills = prefill.samples
        decodes = decode.samples
        noise = decode.noise
    }

    /// The profile, with the leave-one-out error.
    ///
    /// - Throws: ``TableCalibrationError``.
    public func profile() throws(TableCalibrationError) -> EngineProfile {
        let fit = try Self.fit(prefills + decodes)
        let errors = try leaveOneOut()
        var coefficients = fit.coefficients
        coefficients.mixed.perSequence = coefficients.decode.perSequence
        coefficients.mixed.perContextToken = coefficients.decode.perContextToken
        return EngineProfile(
            name: "\(model) on \(tensorParallel) × \(hardware)", model: model, hardware: hardware,
            acceleratorsPerReplica: tensorParallel, engine: "the engine of the Splitwise measurements",
            date: "2023-11-01",
            source: "Splitwise (ISCA 2024), Mutinifni/splitwise-sim, data/perf_model.csv, MIT",
            stepTime: coefficients, noise: noise, kvTokens: kvTokens, maxContext: maxContext,
            coldStart: ColdStartProfile(source: "not measured"), validRange: fit.validRange,
            fit: FitQuality(
                fitted: prefills.count + decodes.count, heldOut: errors.count, medianAbsoluteError: errors.median,
                p90AbsoluteError: errors.p90, bias: errors.bias,
                heldOutDescription: "each configuration predicted from all the others; medians of repeats",
                standardErrors: fit.standardErrors,
                covariance: fit.covariance.tying("mixed.perSequence", to: "decode.perSequence")
                    .tying("mixed.perContextToken", to: "decode.perContextToken")),
            notes: [
                "Prompt and token times are of whole batches; a mixed step is its prefill plus what its decodes add.",
                "Host overhead is inside the measured times.",
                "The KV capacity was given by hand.",
            ] + fit.remarks)
    }

    private func leaveOneOut() throws(TableCalibrationError) -> PredictionErrors {
        var relative: [Double] = []
        for (index, sample) in (prefills + decodes).enumerated() {
            var others = prefills + decodes
            others.remove(at: index)
            let fit = try Self.fit(others)
            relative.append((fit.predicted(sample.features) - sample.seconds) / sample.seconds)
        }
        let sizes = relative.map(\.magnitude).sorted()
        return PredictionErrors(
            count: sizes.count, median: quantile(of: sizes, 0.5)!, p90: quantile(of: sizes, 0.9)!,
            bias: relative.reduce(0, +) / Double(relative.count))
    }

    private static func fit(_ samples: [StepSample]) throws(TableCalibrationError) -> StepTimeFit {
        do {
            return try StepTimeFit(samples)
        } catch {
            throw .unfittable(error)
        }
    }

    /// The steps that the profile is fitted to.
    public var fittedSteps: [StepSample] { prefills + decodes }

    // MARK: - Rows

    private static func prefillFeatures(_ row: SplitwiseRow) -> StepFeatures {
        var features = StepFeatures()
        for _ in 0..<row.batchSize { features.addChunk(tokens: Int64(row.promptSize), context: 0) }
        return features
    }

    /// Token times are means over an output, so the context is the prompt and half the output.
    private static func decodeFeatures(_ row: SplitwiseRow) -> StepFeatures {
        StepFeatures(
            decodeSequences: Int64(row.batchSize),
            decodeContext: Int64(row.batchSize) * Int64(row.promptSize + row.tokenSize / 2))
    }

    /// One sample for each distinct features, at the median of its rows, in the order of the table.
    private static func medians(
        _ rows: [SplitwiseRow], features: (SplitwiseRow) -> StepFeatures, milliseconds: (SplitwiseRow) -> Double
    ) -> (samples: [StepSample], noise: Double) {
        var order: [StepFeatures] = []
        var times: [StepFeatures: [Double]] = [:]
        for row in rows {
            let key = features(row)
            if times[key] == nil { order.append(key) }
            times[key, default: []].append(milliseconds(row) / 1000)
        }
        var deviations: [Double] = []
        let samples = order.map { key -> StepSample in
            let sorted = times[key]!.sorted()
            let median = quantile(of: sorted, 0.5)!
            deviations += sorted.map { ($0 / median - 1).magnitude }
            return StepSample(features: key, seconds: median)
        }
        // For normal noise the median magnitude is 0.6745 deviations.
        return (samples, quantile(of: deviations.sorted(), 0.5)! / 0.6745)
    }
}
