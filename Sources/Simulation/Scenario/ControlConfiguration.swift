import FleetModel
import Scaling
import Units

/// How the control loop observes and decides.
public struct ControlConfiguration: Hashable, Sendable, Codable {
    /// Time between decisions.
    public var tick: TimeSpan
    /// Time between scrapes of a replica and of the gateway.
    public var scrape: TimeSpan
    /// The span over which rates and quantiles are taken.
    public var window: TimeSpan
    /// A sample older than this is not used.
    public var staleness: TimeSpan
    /// Nothing is removed for so long after the first tick, and after each restart of a live controller.
    public var restartWindow: TimeSpan
    /// The most replicas one decision may add to or take from a pool; `nil` sets no limit.
    public var maxStepUp: Int?
    public var maxStepDown: Int?
    /// The most a pool set may cost per hour; `nil` sets no ceiling.
    public var spendingCeiling: USDPerHour?

    public init(
        tick: TimeSpan = .seconds(15), scrape: TimeSpan = .seconds(15), window: TimeSpan = .seconds(60),
        staleness: TimeSpan = .seconds(45), restartWindow: TimeSpan = .seconds(60), maxStepUp: Int? = nil,
        maxStepDown: Int? = nil, spendingCeiling: USDPerHour? = nil
    ) {
        self.tick = tick
        self.scrape = scrape
        self.window = window
        self.staleness = staleness
        self.restartWindow = restartWindow
        self.maxStepUp = maxStepUp
        self.maxStepDown = maxStepDown
        self.spendingCeiling = spendingCeiling
    }

    /// Samples of a replica that an observer holds: those of one window, the one at its start and the newest. More than
    /// 64 are not foreseen.
    var scrapesKept: Int { Int(min(64, window.nanoseconds / scrape.nanoseconds + 3)) }
}

/// A policy under the label a report shows it by.
public struct PolicyChoice: Hashable, Sendable {
    /// Unique in the scenario, such as `hpa-tuned`.
    public var label: String
    /// A name of the policy catalog, such as `hpa`.
    public var policy: String
    public var parameters: [String: ParameterValue]
    /// How to choose a parameter by simulation on another seed before the policy is compared.
    public var tuning: PolicyTuning?

    public init(label: String, policy: String, parameters: [String: ParameterValue], tuning: PolicyTuning? = nil) {
        self.label = label
        self.policy = policy
        self.parameters = parameters
        self.tuning = tuning
    }
}

/// One parameter to choose: the cheapest candidate that meets the SLO on a seed that the comparison does not use.
public struct PolicyTuning: Hashable, Sendable {
    public var parameter: String
    public var candidates: [ParameterValue]
    public var seed: UInt64

    public init(parameter: String, candidates: [ParameterValue], seed: UInt64) {
        self.parameter = parameter
        self.candidates = candidates
        self.seed = seed
    }
}
