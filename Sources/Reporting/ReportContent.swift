import Simulation
import Studies

/// All that a report shows, as values: a page is a function of this and of nothing else.
public struct ReportContent: Sendable {
    public var scenario: Scenario
    /// The run that the time lines, the bill and the decisions are of: the scenario's own seed, replication 0.
    public var result: RunResult
    /// `nil` without replications: figures then stand without intervals, and the page says so.
    public var estimates: RunEstimates?
    /// What the run says of its own uncertainty and warm-up; `nil` where nobody asked.
    public var batches: BatchEstimates?
    /// `nil` where the number of replications was given.
    public var precision: PrecisionOutcome?
    /// `nil` when a single policy was run.
    public var comparison: Comparison?
    /// What fields do to the figures, and where their uncertainty comes from; `nil` where nobody asked.
    public var sensitivity: Sensitivity?
    public var uncertainty: Uncertainty?
    /// What the result lacks; `nil` for a whole one.
    public var partial: PartialRun?
    /// Version of Tidegate.
    public var version: String
    /// What to type to get the same files again.
    public var command: String
    /// What the results do not contain, a sentence each.
    public var leftOut: [String]

    public init(
        scenario: Scenario, result: RunResult, estimates: RunEstimates? = nil, batches: BatchEstimates? = nil,
        precision: PrecisionOutcome? = nil, comparison: Comparison? = nil, partial: PartialRun? = nil, version: String,
        command: String,
        leftOut: [String] = ReportContent.standardLimits
    ) {
        self.scenario = scenario
        self.result = result
        self.estimates = estimates
        self.batches = batches
        self.precision = precision
        self.comparison = comparison
        self.partial = partial
        self.version = version
        self.command = command
        self.leftOut = leftOut
    }

    /// Whether it is of a live period.
    var isLive: Bool { result.record != nil }

    /// What the records of a live period cannot tell.
    public static let liveLimits = [
        "Gaps between tokens (ITL) and waits for a batch are in no record; TTFT, TPOT and E2E are the gateway's.",
        "Requests that the gateway refused have no row in its ledger: they are neither counted nor missed.",
        "Requests that had not ended when the ledger was read are not there yet.",
        "Time in steps is known by machine and charge period, not over time; preemptions and prefix caches are not known.",
        "Offered prompt tokens are those of requests that were served; output tokens count when their request ended.",
        "A figure of what happened has no interval.",
        "Storage, network traffic and the control plane are not priced; instances are.",
    ]

    /// What every simulation of this version leaves out.
    public static let standardLimits = [
        "Capacity is always there: no stock-outs, no spot reclaims, no crashes, no zone loss.",
        "The network between client, gateway and replica takes no time.",
        "Cold starts take the same time each time.",
        "Prompts share no prefix: the prefix cache is empty for every request.",
        "Storage, network traffic and the control plane are not priced; instances are.",
    ]
}
