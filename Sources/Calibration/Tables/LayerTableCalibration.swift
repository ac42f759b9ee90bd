import EngineModel
import Formats
import Units

/// A profile from published kernel grids: the time of every kernel of one layer, by tokens, sequences and context.
///
/// A step is composed as the model runs it: each layer's kernels at the step's tokens, its experts at as many as these
/// tokens activate, its attention as measured, and what its GPUs exchange, times the layers; then the head at the step's
/// sequences. What the engine does between kernels is in no table and must be given. A third of the grid's rows is held
/// out of the fit.
public struct LayerTableCalibration: Sendable {
    /// What the tables do not say.
    public struct Options: Sendable {
        /// In place of the built-in table of model shapes.
        public var layers: Int?
        /// Tokens of KV cache of one replica, all its engines together; estimated from the card's memory without it.
        public var kvTokens: Int64?
        public var maxContext: Int64?
        /// GPUs that a layer is split over; what the tables say without it.
        public var tensorParallel: Int?
        /// Engines that share the experts, each with requests of its own.
        public var dataParallel = 1
        /// GPUs that the experts are spread over.
        public var expertParallel = 1
        /// Measured all-reduces, for more GPUs than one.
        public var allReduce: [AllReduceRow] = []
        /// Bytes per second between GPUs one way; the card's nominal link without it.
        public var linkBandwidth: Double?
        /// Time per step outside the kernels, and where it comes from.
        public var hostOverhead: TimeSpan?
        public var hostOverheadSource: String?

        public init() {}
    }

    /// The share of the way from the mean context to the longest that attention over unequal contexts takes, where the
    /// profiler did not fit one.
    ///
    /// - Source: the fit of the RTX PRO 6000 tables of Llama-3.1-8B (`skew_fit.per_tp.1.alpha_default`, LLMServingSim).
    static let usualSkew = 0.0543

    private let tables: LayerTables
    private let options: Options
    private let shape: ModelShape?
    private let layers: Int
    private let degree: Int
    private let kvTokens: Int64
    private let experts: ExpertTimes?
    private let exchange: AllReduceModel?
    private var notes: [String] = []

    /// - Throws: ``TableCalibrationError``.
    public init(_ tables: LayerTables, _ options: Options = Options()) throws(TableCalibrationError) {
        self.tables = tables
        self.options = options
        let meta = tables.meta
        shape = ModelShape.named(meta.model)
        guard let layers = options.layers ?? shape?.layers else { throw .unknownModel(meta.model) }
        self.layers = layers
        if let given = options.tensorParallel {
            degree = given
        } else {
            guard meta.degrees.count == 1 else { throw .unknownDegree(meta.degrees) }
            degree = meta.degrees[0]
        }
        experts = ExpertTimes(tables.experts)
        guard (experts == nil) == (shape?.experts == nil) else { throw .unknownExperts(meta.model) }
        guard experts != nil || (options.dataParallel == 1 && options.expertParallel == 1) else {
            throw .noExpertsToShare
        }
        exchange = try Self.exchange(meta, options, degree: degree)
        kvTokens = try Self.capacity(meta, options, shape, degree: degree, notes: &notes)
    }

    private static func exchange(
        _ meta: LayerTables.Meta, _ options: Options, degree: Int
    ) throws(TableCalibrationError) -> AllReduceModel? {
        let workers = max(degree, options.expertParallel)
        guard workers > 1 else { return nil }
        guard let link = options.linkBandwidth ?? AcceleratorFacts.named(meta.gpu)?.linkBandwidth else {
            throw .unknownAccelerator(meta.gpu, need: "--link-bandwidth")
        }
        return try AllReduceModel(options.allReduce, workers: workers, linkBandwidth: link)
    }

    private static func capacity(
        _ meta: LayerTables.Meta, _ options: Options, _ shape: ModelShape?, degree: Int, notes: inout [String]
    ) throws(TableCalibrationError) -> Int64 {
        if let given = options.kvTokens { return given }
        guard let memory = AcceleratorFacts.named(meta.gpu)?.memory, let shape else {
            throw .unknownAccelerator(meta.gpu, need: "--kv-tokens")
        }
        notes.append(
            "The KV capacity is estimated: nine tenths of the memory less the weights and 1.25 GB; the engine prints its own."
        )
        return max(16, shape.cacheTokens(memory: memory, degree: degree * options.dataParallel))
    }

    // MARK: - Profile

    /// The profile, with the error on held-out rows.
    ///
    /// - Throws: ``TableCalibrationError``.
    public func profile() throws(TableCalibrationError) -> EngineProfile {
        let samples = try steps()
        let heldOut = Self.heldOut(samples)
        let fitted = Self.fitted(samples)
        let fit: StepTimeFit
        do {
            fit = try StepTimeFit(fitted)
        } catch {
            throw .unfittable(error)
        }
        let errors = fit.errors(on: heldOut)
        let meta = tables.meta
        var profile = EngineProfile(
            name: "\(meta.model) on \(degree * options.dataParallel) × \(meta.gpu)", model: meta.model,
            hardware: meta.gpu, acceleratorsPerReplica: degree * options.dataParallel,
            engine: "vLLM \(meta.vllmVersion)", date: String(meta.profiledAt.prefix(10)),
            source: "kernel grids of LLMServingSim (casys-kaist/LLMServingSim, profiler/perf, MIT)",
            stepTime: completed(fit.coefficients), noise: 0, kvTokens: kvTokens,
            maxContext: min(options.maxContext ?? shape?.maxContext ?? kvTokens, kvTokens),
            coldStart: ColdStartProfile(source: "not measured"), validRange: fit.validRange,
            fit: FitQuality(
                fitted: fit.fittedCount, heldOut: errors.count, medianAbsoluteError: errors.median,
                p90AbsoluteError: errors.p90, bias: errors.bias,
                heldOutDescription: "every third row of the attention grid, composed to a whole step",
                standardErrors: fit.standardErrors, covariance: fit.covariance),
            notes: notes + explanations + fit.remarks)
        profile.hostOverheadSource = options.hostOverheadSource
        return profile
    }

    /// The fit's coefficients with what is measured apart.
    private func completed(_ fitted: StepTimeCoefficients) -> StepTimeCoefficients {
        var coefficients = fitted
        let skew = tables.meta.skew ?? Self.usualSkew
        coefficients.decode.perSkewToken = skew * fitted.decode.perContextToken
        coefficients.mixed.perSkewToken = skew * fitted.mixed.perContextToken
        coefficients.hostOverhead = Double((options.hostOverhead ?? .zero).nanoseconds)
        return coefficients
    }

    private var explanations: [String] {
        var lines = [
            "Kernel times were taken on one layer\(tables.meta.isEager ? " in eager mode" : "") and multiplied by \(layers)."
        ]
        lines.append(
            "Attention over unequal contexts goes \(tables.meta.skew ?? Self.usualSkew) of the way from their mean to "
                + "their longest"
                + (tables.meta.skew == nil ? ", as on an RTX PRO 6000: these tables do not say." : "."))
        if let exchange { lines.append(exchange.source) }
        if experts != nil {
            lines.append("Each token chooses its experts evenly; a trained router activates up to an eighth fewer.")
        }
        if options.hostOverhead == nil {
            lines.append(
                "No host overhead per step is included: a real engine is slower by what it does between kernels.")
        }
        return lines
    }

    // MARK: - Steps

    /// Kernels that each layer runs, with how often; attention comes from its own grid.
    ///
    /// - Source: the Llama architecture: two norms, attention with fused projections and rotary embedding, SwiGLU. Qwen3
    ///   norms queries and keys too, and its experts stand in place of the three kernels of SwiGLU.
    private var layerKernels: [(String, Double)] {
        var kernels: [(String, Double)] = [("layernorm", 2), ("qkv_proj", 1), ("rotary_emb", 1), ("o_proj", 1)]
        if tables.dense.contains(where: { $0.layer == "qk_norm" }) { kernels.append(("qk_norm", 1)) }
        if experts == nil { kernels += [("gate_up_proj", 1), ("act_fn", 1), ("down_proj", 1)] }
        return kernels
    }
    private static let onceKernels = ["embedding", "final_layernorm"]
    private static let headKernels = ["lm_head", "sampler"]

    /// The steps that the profile is fitted to.
    ///
    /// - Throws: ``TableCalibrationError``.
    public func fittedSteps() throws(TableCalibrationError) -> [StepSample] { Self.fitted(try steps()) }

    /// Every third row is held out, so that all chunks, batches and contexts are on both sides.
    private static func heldOut(_ samples: [StepSample]) -> [StepSample] {
        samples.enumerated().filter { $0.offset % 3 == 1 }.map(\.element)
    }
    private static func fitted(_ samples: [StepSample]) -> [StepSample] {
        samples.enumerated().filter { $0.offset % 3 != 1 }.map(\.element)
    }

    /// The grid's rows as whole steps of the model.
    func steps() throws(TableCalibrationError) -> [StepSample] {
        let layer = try layerTime()
        var once: [MeasuredCurve] = []
        for name in Self.onceKernels { once.append(try dense(name)) }
        var head: [MeasuredCurve] = []
        for name in Self.headKernels { head.append(try perSequence(name)) }
        // Rows share their token counts, and a layer has many kernels.
        var known: [Int: Double] = [:]
        return tables.attention.map { row in
            let tokens = row.prefillChunk + row.decodeSequences
            let sequences = Double(row.decodeSequences + (row.prefillChunk > 0 ? 1 : 0))
            let shared =
                known[tokens]
                ?? Double(layers) * layer(Double(tokens)) + once.reduce(0) { $0 + $1.value(at: Double(tokens)) }
            known[tokens] = shared
            let total = shared + Double(layers) * row.microseconds + head.reduce(0) { $0 + $1.value(at: sequences) }
            var features = StepFeatures(
                decodeSequences: Int64(row.decodeSequences),
                decodeContext: Int64(row.decodeSequences * row.decodeContext))
            if row.prefillChunk > 0 {
                features.addChunk(tokens: Int64(row.prefillChunk), context: Int64(row.prefillContext))
            }
            return StepSample(features: features, seconds: total * 1e-6)
        }
    }

    /// Microseconds of one layer but for its attention, by the step's tokens on one engine.
    private func layerTime() throws(TableCalibrationError) -> (Double) -> Double {
        var kernels: [(MeasuredCurve, Double)] = []
        for (name, times) in layerKernels { kernels.append((try dense(name), times)) }
        let (experts, exchange, shape, options, degree) = (experts, exchange, shape, options, degree)
        return { tokens in
            var time = kernels.reduce(0) { $0 + $1.0.value(at: tokens) * $1.1 }
            // The engines of a replica are taken to be equally busy.
            let all = tokens * Double(options.dataParallel)
            if let experts, let routing = shape?.experts {
                let share = Double(options.expertParallel)
                time += experts.value(tokens: all / share, activated: routing.activated(tokens: all) / share)
            }
            if let exchange, let shape {
                let bytes = 2 * Double(shape.hiddenSize)
                if degree > 1 { time += 2 * exchange.time(bytes: bytes * tokens) }
                // To the experts and back: a gather and a scattered sum, which together are an all-reduce.
                if options.expertParallel > 1 { time += exchange.time(bytes: bytes * all) }
            }
            return time
        }
    }

    private func dense(_ kernel: String) throws(TableCalibrationError) -> MeasuredCurve {
        let points = tables.dense.filter { $0.layer == kernel }.map { (Double($0.tokens), $0.microseconds) }
        guard let curve = MeasuredCurve(points) else { throw .missingKernel(kernel) }
        return curve
    }

    private func perSequence(_ kernel: String) throws(TableCalibrationError) -> MeasuredCurve {
        let points = tables.perSequence.filter { $0.layer == kernel }.map { (Double($0.sequences), $0.microseconds) }
        guard let curve = MeasuredCurve(points) else { throw .missingKernel(kernel) }
        return curve
    }
}
