import Simulation

/// What a study keeps of each of its many runs: the figures, without the time line, usage and histograms they were read
/// from, so that hundreds of runs fit in memory.
public struct RunFigures: Hashable, Sendable {
    public var policy: String
    public var policyDigest: String
    public var replication: Int
    public var fingerprint: String
    public var measurements: [Measurement]
    /// SLO attainment by class, in the scenario's order.
    public var classAttainments: [Double]
    /// What hindsight would have paid for the same traffic; `nil` where it was not asked for, or no plan keeps the
    /// promise by the profile.
    var clairvoyant: ClairvoyantFigures?

    public init(_ result: RunResult) {
        policy = result.policy
        policyDigest = result.policyFile.digest
        replication = result.replication
        fingerprint = result.fingerprint
        measurements = result.measurements
        classAttainments = result.sloClasses.map(\.attainment)
    }

    /// A measurement as a number, money in USD; `nil` where the run had nothing to measure it on.
    public func value(_ path: [String]) -> Double? {
        measurements.first { $0.path == path }?.quantity.estimate
    }

    /// In USD.
    public var cost: Double { value(Headline.cost.path)! }

    /// The arrivals of the run.
    public var requests: Int64 { Int64(value(["requests", "arrived"]) ?? 0) }
}
