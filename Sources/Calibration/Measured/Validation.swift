import EngineModel
import Formats
import Units

/// A profile held against a measured run: the same requests, simulated and measured, side by side.
public struct Validation: Sendable {
    /// The mean error of the requests that share something.
    public struct Residual: Hashable, Sendable, Codable {
        /// Such as `prompt tokens`.
        public var feature: String
        /// Such as `12 … 480`.
        public var range: String
        public var requests: Int
        /// In percent of the group's measured mean.
        public var ttft: Double
        public var tpot: Double?
        public var e2e: Double
    }

    public var run: MeasuredRun
    public var profile: EngineProfile
    public var measured: LatencySet
    public var simulated: LatencySet
    public var outcome: MeasuredReplay.Outcome
    /// In percent of the measured figure.
    public var error: LatencySet
    public var residuals: [Residual]
    /// How steps of the run leave the range in which the profile was measured, one sentence each.
    public var warnings: [String]

    /// - Throws: ``ValidationError``.
    public init(_ run: MeasuredRun, profile: EngineProfile) throws(ValidationError) {
        try Self.check(run, profile)
        let outcome = try MeasuredReplay(run, profile: profile).outcome()
        let (real, simulated) = (run.latencies(), run.latencies(of: outcome))
        self.run = run
        self.profile = profile
        self.outcome = outcome
        measured = LatencySet(real, gaps: run.gaps)
        self.simulated = LatencySet(simulated, gaps: run.knowsGaps ? outcome.gaps : [])
        error = self.simulated.error(against: measured)
        residuals = Self.residuals(run, real, simulated, outcome)
        warnings = Self.unshared(run, profile) + Self.departures(of: outcome.range, from: profile.validRange)
    }

    private static func check(_ run: MeasuredRun, _ profile: EngineProfile) throws(ValidationError) {
        guard profile.model == run.engine.model else {
            throw .otherModel(profile: profile.model, run: run.engine.model)
        }
        let (tensor, data) = (run.engine.tensorParallel, run.engine.dataParallel)
        guard [tensor, tensor * data].contains(profile.acceleratorsPerReplica) else {
            throw .otherParallelism(
                profile: "\(profile.acceleratorsPerReplica) GPUs",
                run: "\(tensor * data) (tensor \(tensor) × data \(data))")
        }
    }

    /// What a profile of one engine does not know of several that share their experts.
    private static func unshared(_ run: MeasuredRun, _ profile: EngineProfile) -> [String] {
        let engines = run.engine.dataParallel
        guard engines > 1, profile.acceleratorsPerReplica == run.engine.tensorParallel else { return [] }
        return [
            "the run is of \(engines) engines in data parallel, and the profile of one that shares nothing: calibrate "
                + "with --data-parallel \(engines) --expert-parallel \(engines * run.engine.tensorParallel)"
        ]
    }

    // MARK: - Residuals

    private static func residuals(
        _ run: MeasuredRun, _ real: [RequestLatency], _ simulated: [RequestLatency], _ outcome: MeasuredReplay.Outcome
    ) -> [Residual] {
        let indices = Array(run.requests.indices)
        func group(_ feature: String, _ range: String, _ members: [Int]) -> Residual? {
            guard !members.isEmpty else { return nil }
            func percent(_ value: (RequestLatency) -> Double?) -> Double? {
                let pairs = members.compactMap { index in
                    value(real[index]).flatMap { a in value(simulated[index]).map { (a, $0) } }
                }
                let (measured, predicted) = pairs.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
                return measured > 0 ? 100 * (predicted / measured - 1) : nil
            }
            return Residual(
                feature: feature, range: range, requests: members.count, ttft: percent(\.ttft) ?? 0,
                tpot: percent(\.tpot), e2e: percent(\.e2e) ?? 0)
        }
        func thirds(_ feature: String, _ value: (Int) -> Int) -> [Residual] {
            let sorted = indices.sorted { (value($0), $0) < (value($1), $1) }
            return (0..<3).compactMap { third in
                let part = sorted[(sorted.count * third / 3)..<(sorted.count * (third + 1) / 3)]
                guard let first = part.first, let last = part.last else { return nil }
                return group(feature, "\(value(first)) … \(value(last))", Array(part))
            }
        }
        let preempted = indices.filter { outcome.requests[$0].preemptions > 0 }
        let others = indices.filter { outcome.requests[$0].preemptions == 0 }
        return thirds("prompt tokens") { run.requests[$0].promptTokens }
            + thirds("output tokens") { run.requests[$0].outputTokens } + thirds("order of arrival") { $0 + 1 }
            + [group("preemptions", "none", others), group("preemptions", "1 or more", preempted)].compactMap { $0 }
    }

    // MARK: - Range

    private static func departures(of range: ValidRange, from valid: ValidRange) -> [String] {
        let features: [(String, KeyPath<ValidRange, Int64>)] = [
            ("decoding sequences in a step", \.decodeSequences), ("KV tokens read by a step", \.decodeContext),
            ("prompt tokens in a step", \.prefillTokens), ("KV tokens behind the chunks of a step", \.prefillContext),
        ]
        return features.compactMap { name, path in
            guard range[keyPath: path] > valid[keyPath: path] else { return nil }
            return "up to \(range[keyPath: path]) \(name), and the profile was measured up to \(valid[keyPath: path])"
        }
    }
}
