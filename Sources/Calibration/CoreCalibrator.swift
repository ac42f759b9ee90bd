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
        /// A Hugging Face folder with `config.json` and `model.safetensors`.
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
        let steps = plan.design.fitted + plan.design.heldOut
        let runs = measure(steps, passes: plan.passes, on: runner, streams: streams, progress: progress)
        let samples = zip(steps, runs).map { StepSample(features: $0.features, seconds: $1.median) }
        let fitted = Array(samples.prefix(plan.design.fitted.count))
        let heldOut = Array(samples.dropFirst(plan.design.fitted.count))
        let fit = try StepTimeFit(fitted)
        let singles = zip(steps, runs).flatMap { step, run in
            run.kept.map { StepSample(features: step.features, seconds: $0) }
        }
        let profile = profile(
            fit: fit, decoder: decoder, date: date, load: load.wall, warmUp: warmUp, noise: fit.noise(of: singles),
            heldOut: fit.errors(on: heldOut), heldOutCount: heldOut.count, machine: machine, passes: plan.passes,
            dropped: runs.reduce(0) { $0 + $1.dropped }, measured: runs.count * plan.passes)
        func errors(_ regime: (StepSample) -> Bool) -> PredictionErrors? {
            let chosen = heldOut.filter(regime)
            return chosen.isEmpty ? nil : fit.errors(on: chosen)
        }
        return CoreCalibration(
            profile: profile, fit: fit, heldOut: fit.errors(on: heldOut),
            heldOutDecode: errors(\.features.isDecodeOnly), heldOutMixed: errors { !$0.features.isDecodeOnly },
            machine: machine, fittedSamples: fitted, heldOutSamples: heldOut)
    }

    private func makeDecoder() throws -> TransformerDecoder {
        let weights =
            switch model {
            case .preset(let preset): preset.weights()
            case .folder(let folder): try Weights(folder: folder)
            }
        let context = min(weights.configuration.maxContext, kvTokens)
        guard context >= CoreCalibrator.leastContext else {
            throw CoreCalibrationError.contextTooShort(tokens: context, needed: CoreCalibrator.leastContext)
        }
        return TransformerDecoder(weights: weights, kvBlocks: kvTokens / TransformerDecoder.blockSize)
    }

    // MARK: - Measuring

    /// The largest design that five passes finish in the time budget, and how many passes then fit.
    private func plan(runner: CoreStepRunner, streams: RandomStreams) -> (design: CoreDesign, passes: Int) {
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
        return (design!, min(15, max(3, Int(timeBudget / cost) - 1)))
    }

    /// The repeats of one step.
    private struct Repeats {
        /// Wall seconds, ascending.
        var kept: [Double]
        /// Runs in which the thread lost its processor.
        var dropped: Int
        var median: Double { quantile(of: kept, 0.5)! }
    }

    private func measure(
        _ steps: [CoreStep], passes: Int, on runner: CoreStepRunner, streams: RandomStreams,
        progress: (_ done: Int, _ total: Int) -> Void
    ) -> [Repeats] {
        let generator = streams.generator("calibration", "order")
        var timings = [[CoreTiming]](repeating: [], count: steps.count)
        let total = (passes + 1) * steps.count
        var done = 0
        for pass in 0...passes {
            for index in generator.shuffled(Array(steps.indices)) {
                let timing = runner.time(steps[index])
                if pass > 0 { timings[index].append(timing) }
                done += 1
                progress(done, total)
            }
        }
        return timings.map { runs in
            // Interrupts take a per cent or two; a time slice lost to another process takes far more.
            let undisturbed = runs.filter { $0.share >= 0.95 }
            let kept = undisturbed.count >= 3 ? undisturbed : runs
            return Repeats(kept: kept.map(\.wall).sorted(), dropped: runs.count - kept.count)
        }
    }
}
