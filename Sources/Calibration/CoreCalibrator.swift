import EngineModel
import InferenceCore
import Randomness
import Statistics
import Units

/// Why a core cannot be calibrated, apart from unreadable files and a busy machine.
public enum CoreCalibrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The model's context, or the KV cache asked for, is too short for a design of steps.
    case contextTooShort(tokens: Int, needed: Int)

    public var description: String {
        switch self {
        case .contextTooShort(let tokens, let needed):
            "a context of \(tokens) tokens is too short to calibrate: at least \(needed) are needed"
        }
    }
}

/// What a calibration measured, and the profile made of it.
public struct CoreCalibration: Sendable {
    public var profile: EngineProfile
    public var fit: StepTimeFit
    /// Errors on held-out steps: all, and by regime.
    public var heldOut: PredictionErrors
    public var heldOutDecode: PredictionErrors?
    public var heldOutMixed: PredictionErrors?
    public var machine: CoreMachineCheck
    /// Medians over the repeats.
    public var fittedSamples: [StepSample]
    public var heldOutSamples: [StepSample]
}

/// Measures the inference core on this machine: a designed set of steps, in random order, several times over.
///
///     let calibration = try CoreCalibrator(model: .preset(.demo15M)).run(date: "2026-03-02") { done, total in … }
///     calibration.profile
///
/// Repeats go through the whole design before any step comes again, so a machine that slows down meanwhile slows all
/// steps alike. A step during which the thread lost its processor is left out. One thread.
public struct CoreCalibrator {
    /// Where the model comes from.
    public enum Model: Hashable, Sendable {
        case preset(ModelPreset)
        /// A Hugging Face folder with `config.json` and safetensors, or a GGUF file.
        case folder(String)
    }

    public var model: Model
    /// Seconds that measuring may take. A slow core gets shorter chunks, down to 64 tokens, rather than more time; only
    /// the three passes that a median needs may exceed it.
    public var timeBudget: Double
    /// Sequences of the largest batch. Range: 1...64.
    public var maxSequences: Int
    /// Tokens of KV cache; rounded down to blocks of 16.
    public var kvTokens: Int
    /// Of the design's draws and the order of steps.
    public var seed: UInt64
    /// Whether to go on where the machine is oversubscribed.
    public var allowNoisy: Bool

    public init(
        model: Model, timeBudget: Double = 45, maxSequences: Int = 32, kvTokens: Int = 8192, seed: UInt64 = 1,
        allowNoisy: Bool = false
    ) {
        precondition((1...64).contains(maxSequences), "\(maxSequences) sequences")
        self.model = model
        self.timeBudget = timeBudget
        self.maxSequences = maxSequences
        self.kvTokens = kvTokens
        self.seed = seed
        self.allowNoisy = allowNoisy
    }

    /// The shortest context that leaves room for a chunk behind a prefix.
    static let leastContext = 128

    /// Builds the core, measures and fits.
    ///
    /// - Parameters:
    ///   - date: ISO 8601 date for the profile.
    ///   - progress: Called with steps measured and steps to measure.
    /// - Throws: ``ModelFileError``, ``MachineOversubscribed``, ``CoreCalibrationError``, ``StepTimeFitError``.
    public func run(date: String, progress: (_ done: Int, _ total: Int) -> Void) throws -> CoreCalibration {
        let streams = RandomStreams(seed: seed)
        var loaded: TransformerDecoder?
        let load = try CoreTiming.measure { loaded = try makeDecoder() }
        let decoder = loaded!
        let runner = CoreStepRunner(decoder: decoder, streams: streams)
        // A replica is warm when it has answered once: a prompt, then its second and third token.
        let first = [
            CoreStep(chunks: [.init(tokens: 64, context: 0)]), CoreStep(decodes: [64]), CoreStep(decodes: [65]),
        ]
        let warmUp = first.reduce(0) { $0 + runner.time($1).wall }

        let machine = CoreMachineCheck.run { runner.time(CoreStep(decodes: [64, 64])) }
        guard machine.isCalm || allowNoisy else { throw MachineOversubscribed(check: machine) }

        let plan = plan(runner: runner, streams: streams)
        let series = measure(plan, on: runner, streams: streams, byProcessor: !machine.isCalm, progress: progress)
        let whole = CoreMachineCheck(
            processorShare: min(machine.processorShare, series.processorShare), spread: machine.spread)
        guard whole.isCalm || allowNoisy else { throw MachineOversubscribed(check: whole) }

        let fit = try StepTimeFit(series.fitted)
        let heldOut = fit.errors(on: series.heldOut)
        func errors(_ regime: (StepSample) -> Bool) -> PredictionErrors? {
            let chosen = series.heldOut.filter(regime)
            return chosen.isEmpty ? nil : fit.errors(on: chosen)
        }
        return CoreCalibration(
            profile: profile(
                fit: fit, heldOut: heldOut, series: series, decoder: decoder, date: date, load: load.wall,
                warmUp: warmUp, machine: whole),
            fit: fit, heldOut: heldOut, heldOutDecode: errors(\.features.isDecodeOnly),
            heldOutMixed: errors { !$0.features.isDecodeOnly }, machine: whole, fittedSamples: series.fitted,
            heldOutSamples: series.heldOut)
    }

    private func makeDecoder() throws -> TransformerDecoder {
        let weights =
            switch model {
            case .preset(let preset): preset.weights()
            case .folder(let folder): try Weights(path: folder)
            }
        let context = min(weights.configuration.maxContext, kvTokens)
        guard context >= CoreCalibrator.leastContext else {
            throw CoreCalibrationError.contextTooShort(tokens: context, needed: CoreCalibrator.leastContext)
        }
        return TransformerDecoder(weights: weights, kvBlocks: kvTokens / TransformerDecoder.blockSize)
    }

    // MARK: - Measuring

    /// What to measure, and how often.
    private struct Plan {
        var design: CoreDesign
        var passes: Int
    }

    /// The largest design that five passes finish in the time budget, and how many passes then fit.
    private func plan(runner: CoreStepRunner, streams: RandomStreams) -> Plan {
        func quickest(_ step: CoreStep) -> Double { (0..<3).map { _ in runner.time(step).wall }.min()! }
        let one = quickest(CoreStep(decodes: [64]))
        let perRow = max(0, quickest(CoreStep(chunks: [.init(tokens: 64, context: 0)])) - one) / 63
        let decoder = runner.decoder
        var design: CoreDesign?
        var cost = 0.0
        for chunk in [512, 256, 128, 64] where chunk == 64 || 2 * chunk <= decoder.maxContext {
            let limits = CoreDesign.Limits(
                maxContext: decoder.maxContext, kvBlocks: decoder.kvBlocks, maxSequences: maxSequences, maxChunk: chunk)
            design = CoreDesign(limits: limits, streams: streams)
            cost = (design!.fitted + design!.heldOut).reduce(0) { $0 + one + perRow * Double($1.rows) }
            // One pass more than counts: the first only warms.
            if 6 * cost <= timeBudget { break }
        }
        return Plan(design: design!, passes: min(15, max(3, Int(timeBudget / cost) - 1)))
    }

    private func measure(
        _ plan: Plan, on runner: CoreStepRunner, streams: RandomStreams, byProcessor: Bool,
        progress: (_ done: Int, _ total: Int) -> Void
    ) -> CoreSeries {
        let generator = streams.generator("calibration", "order")
        let steps = plan.design.fitted + plan.design.heldOut
        var timings = [[CoreTiming]](repeating: [], count: steps.count)
        let total = (plan.passes + 1) * steps.count
        var elapsed = 0.0
        for pass in 0...plan.passes {
            // A machine that turned out slower than the plan: what a median needs is there, so stop.
            if pass > 3, elapsed * Double(pass + 1) / Double(pass) > timeBudget { break }
            for (position, index) in generator.shuffled(Array(steps.indices)).enumerated() {
                let timing = runner.time(steps[index])
                elapsed += timing.wall
                // The first pass only warms.
                if pass > 0 { timings[index].append(timing) }
                progress(pass * steps.count + position, total)
            }
        }
        progress(total, total)
        return CoreSeries(
            steps: steps, timings: timings, fittedCount: plan.design.fitted.count, byProcessor: byProcessor)
    }
}

extension CoreCalibrator {
    /// The steps that a profile of the core was fitted to, without their times; `nil` for another engine's profile, or
    /// one of another design.
    public static func design(of profile: EngineProfile, seed: UInt64 = 1) -> [StepFeatures]? {
        guard profile.engine == "tidegate core" else { return nil }
        let limits = CoreDesign.Limits(
            maxContext: Int(profile.maxContext), kvBlocks: Int(profile.kvTokens) / TransformerDecoder.blockSize,
            maxSequences: Int(profile.validRange.decodeSequences), maxChunk: Int(profile.validRange.prefillTokens))
        let steps = CoreDesign(limits: limits, streams: RandomStreams(seed: seed)).fitted.map(\.features)
        return steps.count == profile.fit.fitted ? steps : nil
    }
}
