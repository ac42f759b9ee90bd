import EngineModel
import Units

/// What the lookahead policy believes of one pool's engine. The plant may differ from it.
public struct PoolModel: Codable, Sendable, Hashable {
    public var stepTime: StepTimeCoefficients
    public var limits: ReplicaLimits
    /// Longest time to first token to plan for; `nil` promises nothing.
    public var ttft: TimeSpan?
    /// Longest mean time per output token after the first to plan for; `nil` promises nothing.
    public var tpot: TimeSpan?

    public init(
        stepTime: StepTimeCoefficients, limits: ReplicaLimits, ttft: TimeSpan? = nil, tpot: TimeSpan? = nil
    ) {
        self.stepTime = stepTime
        self.limits = limits
        self.ttft = ttft
        self.tpot = tpot
    }
}

/// What a user sets of the lookahead policy, and the engine models that the scenario supplies.
public struct LookaheadParameters: Codable, Sendable, Hashable {
    /// How far ahead to look; `nil` is the cold start of the offering a replica would run on.
    public var horizon: TimeSpan?
    /// The share of past forecast errors that head-room covers. Range: 0.5...0.999.
    public var quantile: Double
    /// The time in which a backlog is to be worked off.
    public var drainTime: TimeSpan
    /// How long less must have been needed before replicas go; `nil` is the cold start, at least two minutes.
    public var scaleInDelay: TimeSpan?
    /// Spare share of the smaller fleet that scale-in asks for. Range: 0...0.9.
    public var scaleInMargin: Double
    public var levelGain: Double
    public var trendGain: Double
    public var damping: Double
    /// Standard deviations of the batch that a replica's capacity leaves free.
    public var deviations: Double
    /// Mean lengths assumed before any request was seen, in tokens.
    public var assumedPromptTokens: Double
    public var assumedOutputTokens: Double
    /// By pool name.
    public var engines: [String: PoolModel]

    public init(
        horizon: TimeSpan? = nil, quantile: Double = 0.9, drainTime: TimeSpan = .seconds(120),
        scaleInDelay: TimeSpan? = nil, scaleInMargin: Double = 0.1, levelGain: Double = 0.4, trendGain: Double = 0.2,
        damping: Double = 0.95, deviations: Double = 2, assumedPromptTokens: Double = 1024,
        assumedOutputTokens: Double = 256, engines: [String: PoolModel]
    ) {
        self.horizon = horizon
        self.quantile = quantile
        self.drainTime = drainTime
        self.scaleInDelay = scaleInDelay
        self.scaleInMargin = scaleInMargin
        self.levelGain = levelGain
        self.trendGain = trendGain
        self.damping = damping
        self.deviations = deviations
        self.assumedPromptTokens = assumedPromptTokens
        self.assumedOutputTokens = assumedOutputTokens
        self.engines = engines
    }

    enum CodingKeys: String, CodingKey {
        case horizon
        case quantile
        case drainTime = "drain_time"
        case scaleInDelay = "scale_in_delay"
        case scaleInMargin = "scale_in_margin"
        case levelGain = "level_gain"
        case trendGain = "trend_gain"
        case damping
        case deviations
        case assumedPromptTokens = "assumed_prompt_tokens"
        case assumedOutputTokens = "assumed_output_tokens"
        case engines
    }

    static let descriptions = [
        ParameterDescription(
            "horizon", .span(atLeast: .seconds(1)), default: .null,
            "how far ahead to look; without it, the cold start of the offering a replica would run on"),
        ParameterDescription(
            "quantile", .number(0.5...0.999), default: .number(0.9),
            "share of past forecast errors that head-room covers"),
        ParameterDescription(
            "drain_time", .span(atLeast: .seconds(1)), default: .text("120s"),
            "time in which a backlog is to be worked off"),
        ParameterDescription(
            "scale_in_delay", .span(atLeast: .zero), default: .null,
            "how long less must have been needed before replicas go; without it, the cold start, at least 2m"),
        ParameterDescription(
            "scale_in_margin", .number(0...0.9), default: .number(0.1), "spare share of the fleet that scale-in leaves"),
        ParameterDescription(
            "level_gain", .number(0.01...1), default: .number(0.4), "weight of the newest window in the level"),
        ParameterDescription(
            "trend_gain", .number(0...1), default: .number(0.2), "weight of the newest slope in the trend"),
        ParameterDescription(
            "damping", .number(0...1), default: .number(0.95), "how much of a trend is believed one window further on"),
        ParameterDescription(
            "deviations", .number(0...10), default: .number(2),
            "standard deviations of the batch that a replica's capacity leaves free"),
        ParameterDescription(
            "assumed_prompt_tokens", .number(1...10_000_000), default: .number(1024),
            "mean prompt before any request was seen"),
        ParameterDescription(
            "assumed_output_tokens", .number(1...10_000_000), default: .number(256),
            "mean output before any request was seen"),
        ParameterDescription(
            "engines", .engines, default: .null, "engine profile and targets by pool, supplied by the scenario"),
    ]
}
