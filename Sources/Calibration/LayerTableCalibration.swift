import EngineModel
import Formats
import Units

/// A profile from published kernel grids: the time of every kernel of one layer, by tokens, sequences and context.
///
/// A step is composed as the model runs it: each layer's kernels at the step's tokens and its attention as measured, times
/// the layers, then the head at the step's sequences. What the engine does between kernels is in no table and must be
/// given. A third of the grid's rows is held out of the fit.
public struct LayerTableCalibration: Sendable {
    public var tables: LayerTables
    public var layers: Int
    /// Tokens of KV cache of the engine that is modelled.
    public var kvTokens: Int64
    public var maxContext: Int64
    /// Time per step outside the kernels.
    public var hostOverhead: TimeSpan

    /// - Parameter layers: In place of the built-in table of model shapes.
    /// - Throws: ``TableCalibrationError``.
    public init(
        _ tables: LayerTables, layers: Int? = nil, kvTokens: Int64, maxContext: Int64? = nil,
        hostOverhead: TimeSpan = .zero
    ) throws(TableCalibrationError) {
        guard tables.experts.isEmpty else { throw .mixtureOfExperts(tables.meta.model) }
        let shape = ModelShape.named(tables.meta.model)
        guard let layers = layers ?? shape?.layers else { throw .unknownModel(tables.meta.model) }
        self.tables = tables
        self.layers = layers
        self.kvTokens = kvTokens
        self.maxContext = min(maxContext ?? shape?.maxContext ?? kvTokens, kvTokens)
        self.hostOverhead = hostOverhead
    }

    /// Kernels that each layer runs, with how often; attention comes from its own grid.
    ///
    /// - Source: the Llama architecture: two norms, attention with fused projections and rotary embedding, SwiGLU.
    private static let layerKernels = [
        ("layernorm", 2.0), ("qkv_proj", 1), ("rotary_emb", 1), ("o_proj", 1), ("gate_up_proj", 1), ("act_fn", 1),
        ("down_proj", 1),
    ]
    private static let onceKernels = ["embedding", "final_layernorm"]
    private static let headKernels = ["lm_head", "sampler"]

    /// The profile, with the error on held-out rows.
    ///
    /// - Throws: ``TableCalibrationError``.
    public func profile() throws(TableCalibrationError) -> EngineProfile {
        let samples = try steps()
        // Every third row, so that all chunks, batches and contexts are on both sides.
        let heldOut = samples.enumerated().filter { $0.offset % 3 == 1 }.map(\.element)
        let fitted = samples.enumerated().filter { $0.offset % 3 != 1 }.map(\.element)
        let fit: StepTimeFit
        do {
            fit = try StepTimeFit(fitted)
        } catch {
            throw .unfittable(error)
        }
        let errors = fit.errors(on: heldOut)
        var stepTime = fit.coefficients
        stepTime.hostOverhead = Double(hostOverhead.nanoseconds)
        let meta = tables.meta
        return EngineProfile(
            name: "\(meta.model) on \(meta.tensorParallel) × \(meta.gpu)", model: meta.model, hardware: meta.gpu,
            acceleratorsPerReplica: meta.tensorParallel, engine: "vLLM \(meta.vllmVersion)",
            date: String(meta.profiledAt.prefix(10)),
            source: "kernel grids of LLMServingSim (casys-kaist/LLMServingSim, profiler/perf, MIT)",
            stepTime: stepTime, noise: 0, kvTokens: kvTokens, maxContext: maxContext,
            coldStart: ColdStartProfile(source: "not measured"), validRange: fit.validRange,
            fit: FitQuality(
                fitted: fit.fittedCount, heldOut: errors.count, medianAbsoluteError: errors.median,
                p90AbsoluteError: errors.p90, bias: errors.bias,
                heldOutDescription: "every third row of the attention grid, composed to a whole step",
                standardErrors: fit.standardErrors, covariance: fit.covariance),
            notes: [
                "Kernel times were taken on one layer\(meta.isEager ? " in eager mode" : "") and multiplied by \(layers).",
                hostOverhead == .zero
                    ? "No host overhead per step is included: a real engine is slower by what it does between kernels."
                    : "A host overhead of \(hostOverhead) per step was given by hand.",
            ])
    }

    /// The grid's rows as whole steps of the model.
    func steps() throws(TableCalibrationError) -> [StepSample] {
        var perLayer: [(Curve, Double)] = []
        for (name, times) in Self.layerKernels { perLayer.append((try dense(name), times)) }
        var once: [Curve] = []
        for name in Self.onceKernels { once.append(try dense(name)) }
        var head: [Curve] = []
        for name in Self.headKernels { head.append(try perSequence(name)) }

        return tables.attention.map { row in
            let tokens = Double(row.prefillChunk + row.decodeSequences)
            let sequences = Double(row.decodeSequences + (row.prefillChunk > 0 ? 1 : 0))
            let layer = perLayer.reduce(row.microseconds) { $0 + $1.0.value(at: tokens) * $1.1 }
            let total =
                layer * Double(layers) + once.reduce(0) { $0 + $1.value(at: tokens) }
                + head.reduce(0) { $0 + $1.value(at: sequences) }
            var features = StepFeatures(
                decodeSequences: Int64(row.decodeSequences),
                decodeContext: Int64(row.decodeSequences * row.decodeContext))
            if row.prefillChunk > 0 {
                features.addChunk(tokens: Int64(row.prefillChunk), context: Int64(row.prefillContext))
            }
            return StepSample(features: features, seconds: total * 1e-6)
        }
    }

    private func dense(_ kernel: String) throws(TableCalibrationError) -> Curve {
        let points = tables.dense.filter { $0.layer == kernel }.map { (Double($0.tokens), $0.microseconds) }
        guard let curve = Curve(points) else { throw .missingKernel(kernel) }
        return curve
    }

    private func perSequence(_ kernel: String) throws(TableCalibrationError) -> Curve {
        let points = tables.perSequence.filter { $0.layer == kernel }.map { (Double($0.sequences), $0.microseconds) }
        guard let curve = Curve(points) else { throw .missingKernel(kernel) }
        return curve
    }
}

/// A measured curve, linear between its points and, beyond the last, along the line from the origin through it.
private struct Curve {
    private var points: [(x: Double, y: Double)]

    /// `nil` without a point.
    init?(_ points: [(Double, Double)]) {
        guard !points.isEmpty else { return nil }
        self.points = points.map { (x: $0.0, y: $0.1) }.sorted { $0.x < $1.x }
    }

    func value(at x: Double) -> Double {
        guard let above = points.firstIndex(where: { $0.x >= x }) else {
            return points.last!.y * x / points.last!.x
        }
        guard above > 0 else { return points[0].y }
        let (low, high) = (points[above - 1], points[above])
        return low.y + (high.y - low.y) * (x - low.x) / (high.x - low.x)
    }
}
