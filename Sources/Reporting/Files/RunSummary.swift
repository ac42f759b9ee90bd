import Simulation
import Studies
import Units

/// What `summary.json` holds and `--json` prints.
///
/// Counts and latencies are numbers, money is a decimal string, a measurement without anything to measure is null. They
/// are those of the run whose bill and timeline lie beside the file, so that the files of a folder agree. With
/// replications three siblings follow: `mean` and `ci95` repeat the key paths, with a number and with `[lower, upper]`
/// at each leaf, and `varied` says what varied between the runs. A single run has `batch_means` instead, with intervals from
/// its own batches and the reason for each that is missing. `warm_up` says how long the run took to settle:
///
/// Of a live period `live` lists the records it was read from, in place of seed and replications.
///
///     summary["cost"]["total_usd"]          "412.907200000"
///     summary["mean"]["cost"]["total_usd"]  "411.2"
///     summary["ci95"]["cost"]["total_usd"]  ["409.1", "413.3"]
public struct RunSummary: Encodable, Sendable {
    public var scenario: String
    public var policy: String
    public var policyDigest: String
    /// `nil` for a live period, which has none.
    public var seed: UInt64?
    /// Runs behind the estimates; 1 without any.
    public var replications: Int
    public var fingerprint: String
    public var meetsSLO: Bool
    /// The billed span.
    public var start: Instant
    public var end: Instant
    public var measurements: [Measurement]
    /// What a live period was read from.
    public var record: LiveRecord?
    public var estimates: RunEstimates?
    /// `nil` where nobody asked.
    public var batches: BatchEstimates?
    public var precision: PrecisionOutcome?
    public var warnings: [String]
    /// `nil` for a whole result.
    public var partial: PartialRun?
    /// How fast the run was: printed only. A file never holds it, so that files are the same bytes each time.
    public var run: RunSpeed?

    /// - Parameters:
    ///   - result: The run of the scenario's own seed.
    ///   - estimates: `nil` without replications.
    ///   - batches: What a single run says of its own uncertainty and warm-up; `nil` where nobody asked.
    ///   - precision: `nil` where the number of replications was given.
    ///   - partial: `nil` for a whole result.
    public init(
        _ result: RunResult, estimates: RunEstimates? = nil, batches: BatchEstimates? = nil,
        precision: PrecisionOutcome? = nil, partial: PartialRun? = nil
    ) {
        scenario = result.scenario
        policy = result.policy
        policyDigest = result.policyFile.digest
        seed = result.record == nil ? result.seed : nil
        record = result.record
        replications = estimates?.replications ?? 1
        fingerprint = result.fingerprint
        meetsSLO = result.meetsSLO
        (start, end) = (result.start, result.start + result.duration)
        measurements = result.measurements
        self.estimates = estimates
        self.partial = partial
        self.batches = batches
        self.precision = precision
        warnings = result.warnings
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SummaryKey.self)
        try container.encode(scenario, forKey: SummaryKey("scenario"))
        try container.encode(policy, forKey: SummaryKey("policy"))
        try container.encode(policyDigest, forKey: SummaryKey("policy_digest"))
        if let record {
            try container.encode(record.sources.map(SourceEntry.init), forKey: SummaryKey("live"))
            try container.encode("\(start)", forKey: SummaryKey("from"))
            try container.encode("\(end)", forKey: SummaryKey("to"))
        } else {
            try container.encode(seed, forKey: SummaryKey("seed"))
            try container.encode(replications, forKey: SummaryKey("replications"))
        }
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
        if let batches {
            try container.encode(WarmUpEntry(batches.warmUp), forKey: SummaryKey("warm_up"))
            if estimates == nil {
                var nested = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("batch_means"))
                try encode(batches, into: &nested)
            }
        }
        if let precision { try container.encode(PrecisionEntry(precision), forKey: SummaryKey("precision")) }
        if let run { try container.encode(run, forKey: SummaryKey("run")) }
    }
}

extension RunSummary {
    private func encode(_ batches: BatchEstimates, into container: inout KeyedEncodingContainer<SummaryKey>) throws {
        var estimates: [RunEstimates.Entry] = []
        var refused: [SummaryLeaf] = []
        for entry in batches.entries {
            switch entry.outcome {
            case .estimate(let estimate):
                estimates.append(RunEstimates.Entry(path: entry.path, estimate: estimate, isMoney: entry.isMoney))
            case .refused(let reason): refused.append(SummaryLeaf(entry.path, .text(reason)))
            }
        }
        try container.encode(BatchEstimates.varied, forKey: SummaryKey("varied"))
        var means = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("mean"))
        try estimates.map(SummaryLeaf.mean).encode(into: &means)
        var intervals = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("ci95"))
        try estimates.compactMap(SummaryLeaf.interval).encode(into: &intervals)
        var reasons = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("no_interval"))
        try refused.encode(into: &reasons)
    }

    private struct SourceEntry: Encodable {
        var file: String
        var records: Int
        var hash: String?

        init(_ source: LiveRecord.Source) { (file, records, hash) = (source.name, source.records, source.hash) }
    }

    private struct WarmUpEntry: Encodable {
        var method = WarmUp.method
        /// `nil` when the run does not settle in its first half.
        var seconds: Double?
        var isCut: Bool
        var finding: String

        init(_ warmUp: WarmUp) {
            seconds = warmUp.detected?.seconds
            isCut = warmUp.isCut
            finding = UncertaintyText.sentence(warmUp)
        }

        enum CodingKeys: String, CodingKey {
            case method, seconds, finding
            case isCut = "cut"
        }
    }

    private struct PrecisionEntry: Encodable {
        var asked: Double
        var isReached: Bool
        var replications: Int
        var halfWidths: [String: [String: Double]]

        init(_ precision: PrecisionOutcome) {
            asked = precision.asked.share
            isReached = precision.isReached
            replications = precision.replications
            halfWidths = Dictionary(grouping: precision.widths, by: \.policy).mapValues { widths in
                Dictionary(uniqueKeysWithValues: widths.map { ($0.headline.rawValue, $0.relativeHalfWidth) })
            }
        }

        enum CodingKeys: String, CodingKey {
            case asked, replications
            case isReached = "reached"
            case halfWidths = "relative_half_widths"
        }
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
