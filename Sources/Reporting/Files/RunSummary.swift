import Simulation
import Studies
import Units

/// What `summary.json` holds and `--json` prints.
///
/// Counts and latencies are numbers, money is a decimal string, a measurement without anything to measure is null. They
/// are those of the run whose bill and timeline lie beside the file, so that the files of a folder agree. With
/// replications three siblings follow: `mean` and `ci95` repeat the key paths, with a number and with `[lower, upper]`
/// at each leaf, and `varied` says what varied between the runs:
///
///     summary["cost"]["total_usd"]          "412.907200000"
///     summary["mean"]["cost"]["total_usd"]  "411.2"
///     summary["ci95"]["cost"]["total_usd"]  ["409.1", "413.3"]
public struct RunSummary: Encodable, Sendable {
    public var scenario: String
    public var policy: String
    public var policyDigest: String
    public var seed: UInt64
    /// Runs behind the estimates; 1 without any.
    public var replications: Int
    public var fingerprint: String
    public var meetsSLO: Bool
    public var measurements: [Measurement]
    public var estimates: RunEstimates?
    public var warnings: [String]
    /// `nil` for a whole result.
    public var partial: PartialRun?
    /// How fast the run was: printed only. A file never holds it, so that files are the same bytes each time.
    public var run: RunSpeed?

    /// - Parameters:
    ///   - result: The run of the scenario's own seed.
    ///   - estimates: `nil` without replications.
    ///   - partial: `nil` for a whole result.
    public init(_ result: RunResult, estimates: RunEstimates? = nil, partial: PartialRun? = nil) {
        scenario = result.scenario
        policy = result.policy
        policyDigest = result.policyFile.digest
        seed = result.seed
        replications = estimates?.replications ?? 1
        fingerprint = result.fingerprint
        meetsSLO = result.meetsSLO
        measurements = result.measurements
        self.estimates = estimates
        self.partial = partial
        warnings = result.warnings
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SummaryKey.self)
        try container.encode(scenario, forKey: SummaryKey("scenario"))
        try container.encode(policy, forKey: SummaryKey("policy"))
        try container.encode(policyDigest, forKey: SummaryKey("policy_digest"))
        try container.encode(seed, forKey: SummaryKey("seed"))
        try container.encode(replications, forKey: SummaryKey("replications"))
        try container.encode(fingerprint, forKey: SummaryKey("fingerprint"))
        let verdict = SummaryLeaf(["slo", "met"], .flag(meetsSLO))
        try (measurements.map(SummaryLeaf.init) + [verdict]).encode(into: &container)
        try container.encode(warnings, forKey: SummaryKey("warnings"))
        try container.encodeIfPresent(partial, forKey: SummaryKey("partial"))
        if let estimates {
            var means = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("mean"))
            try estimates.entries.map(SummaryLeaf.mean).encode(into: &means)
            var intervals = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("ci95"))
            try estimates.entries.compactMap(SummaryLeaf.interval).encode(into: &intervals)
            try container.encode(estimates.varied, forKey: SummaryKey("varied"))
        }
        if let run { try container.encode(run, forKey: SummaryKey("run")) }
    }
}

/// How long a run took by the clock of whoever started it.
public struct RunSpeed: Hashable, Sendable, Encodable {
    public var wallSeconds: Double
    public var requestsPerWallSecond: Double

    public init(wallSeconds: Double, requestsPerWallSecond: Double) {
        self.wallSeconds = wallSeconds
        self.requestsPerWallSecond = requestsPerWallSecond
    }

    enum CodingKeys: String, CodingKey {
        case wallSeconds = "wall_seconds"
        case requestsPerWallSecond = "requests_per_wall_second"
    }
}
