import Units

/// A measured engine: what it runs on, how long its steps and starts take, and how far the measurements can be believed.
public struct EngineProfile: Hashable, Sendable, Codable {
    /// Version of the file's layout.
    public static let currentSchema = 1
    public var schema: Int = EngineProfile.currentSchema
    /// A name for reports, such as `llama-2-70b on 4 × H100-80GB`.
    public var name: String
    public var model: String
    /// GPUs (or CPU) of one replica.
    public var hardware: String
    /// How many of them one replica occupies. At least 1.
    public var acceleratorsPerReplica: Int
    public var engine: String
    /// When the measurements were taken or published, ISO 8601 date.
    public var date: String
    /// Where the measurements come from, and their licence.
    public var source: String
    public var stepTime: StepTimeCoefficients
    /// Standard deviation of the logarithm of step time around the fit. 0 when the source has no repeats.
    public var noise: Double
    /// Tokens of KV cache that one replica holds.
    public var kvTokens: Int64
    /// The longest context the engine serves, in tokens.
    public var maxContext: Int64
    public var coldStart: ColdStartProfile
    /// The box that the measured steps span; a result that leaves it says so.
    public var validRange: ValidRange
    public var fit: FitQuality
    /// Anything a reader must know, one sentence each.
    public var notes: [String]
    /// Where the host overhead of `stepTime` comes from; `nil` where it is inside the measured steps or not known.
    public var hostOverheadSource: String?
    /// The limits of the scheduler that ran the measured requests; `nil` where steps alone were measured.
    public var scheduler: MeasuredScheduler?
    /// What a request spends between its client and the engine, both ways together, beside its steps; `nil` where it was
    /// not measured.
    public var requestOverhead: TimeSpan?
    /// How far simulated latencies lay from measured ones on a load that was not fitted; `nil` where none was played.
    public var heldOutLoad: HeldOutLoad?

    public init(
        name: String, model: String, hardware: String, acceleratorsPerReplica: Int, engine: String, date: String,
        source: String, stepTime: StepTimeCoefficients, noise: Double, kvTokens: Int64, maxContext: Int64,
        coldStart: ColdStartProfile, validRange: ValidRange, fit: FitQuality, notes: [String]
    ) {
        self.name = name
        self.model = model
        self.hardware = hardware
        self.acceleratorsPerReplica = acceleratorsPerReplica
        self.engine = engine
        self.date = date
        self.source = source
        self.stepTime = stepTime
        self.noise = noise
        self.kvTokens = kvTokens
        self.maxContext = maxContext
        self.coldStart = coldStart
        self.validRange = validRange
        self.fit = fit
        self.notes = notes
    }
}

/// Start-up stages as measured, each `nil` where it was not: a scenario must then say it.
public struct ColdStartProfile: Hashable, Sendable, Codable {
    public var provision: TimeSpan?
    public var pull: TimeSpan?
    public var load: TimeSpan?
    public var warmUp: TimeSpan?
    public var source: String

    public init(
        provision: TimeSpan? = nil, pull: TimeSpan? = nil, load: TimeSpan? = nil, warmUp: TimeSpan? = nil,
        source: String
    ) {
        self.provision = provision
        self.pull = pull
        self.load = load
        self.warmUp = warmUp
        self.source = source
    }
}

/// The largest features among the measured steps.
public struct ValidRange: Hashable, Sendable, Codable {
    public var decodeSequences: Int64
    /// KV tokens read by all decoding sequences of a step.
    public var decodeContext: Int64
    public var prefillTokens: Int64
    /// Context behind a prefill chunk.
    public var prefillContext: Int64

    public init(decodeSequences: Int64, decodeContext: Int64, prefillTokens: Int64, prefillContext: Int64) {
        self.decodeSequences = decodeSequences
        self.decodeContext = decodeContext
        self.prefillTokens = prefillTokens
        self.prefillContext = prefillContext
    }
}

/// How well the fit predicts steps that it did not see.
public struct FitQuality: Hashable, Sendable, Codable {
    /// Steps fitted, and steps held out.
    public var fitted: Int
    public var heldOut: Int
    /// Median of |predicted − measured| / measured over held-out steps. A fraction.
    public var medianAbsoluteError: Double
    public var p90AbsoluteError: Double
    /// Mean of (predicted − measured) / measured.
    public var bias: Double
    /// What was held out, in words.
    public var heldOutDescription: String
    /// Standard errors of the coefficients, by name, in ns.
    public var standardErrors: [String: Double]
    /// How those errors go together; `nil` where the source does not say.
    public var covariance: CoefficientCovariance?

    public init(
        fitted: Int, heldOut: Int, medianAbsoluteError: Double, p90AbsoluteError: Double, bias: Double,
        heldOutDescription: String, standardErrors: [String: Double] = [:], covariance: CoefficientCovariance? = nil
    ) {
        self.fitted = fitted
        self.heldOut = heldOut
        self.medianAbsoluteError = medianAbsoluteError
        self.p90AbsoluteError = p90AbsoluteError
        self.bias = bias
        self.heldOutDescription = heldOutDescription
        self.standardErrors = standardErrors
        self.covariance = covariance
    }
}

/// Limits of an engine's scheduler, under vLLM's names.
public struct MeasuredScheduler: Hashable, Sendable, Codable {
    public var maxNumSeqs: Int64
    public var maxNumBatchedTokens: Int64
    /// Whether a step is planned while the one before runs; `nil` where nobody said, and then it is not.
    public var asyncScheduling: Bool?
    /// Where they come from: found, told by the server, or assumed.
    public var source: String

    public init(maxNumSeqs: Int64, maxNumBatchedTokens: Int64, asyncScheduling: Bool? = nil, source: String) {
        self.asyncScheduling = asyncScheduling
        self.maxNumSeqs = maxNumSeqs
        self.maxNumBatchedTokens = maxNumBatchedTokens
        self.source = source
    }
}

/// A load that was measured and simulated, and not fitted.
public struct HeldOutLoad: Hashable, Sendable, Codable {
    /// Its shape, in words.
    public var description: String
    public var requests: Int
    /// In percent of the measured figure: `ttft`, `tpot`, `itl`, `e2e` × `mean`, `p50`, `p90`, `p99`.
    public var errorPercent: [String: [String: Double]]

    public init(description: String, requests: Int, errorPercent: [String: [String: Double]]) {
        self.description = description
        self.requests = requests
        self.errorPercent = errorPercent
    }
}
