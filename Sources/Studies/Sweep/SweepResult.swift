import Simulation
import Units

/// What one point of a sweep gave: the content of its result file.
///
/// It depends on the plan and the point alone, never on which shard, machine or attempt played it.
public struct SweepResult: Hashable, Sendable, Codable {
    /// The digest of the plan, so that no other plan's result is taken for this one's.
    public var plan: String
    /// Counted from 0.
    public var point: Int
    /// The point's value of each field.
    public var values: [String]
    /// In the plan's order.
    public var policies: [SweepOutcome]

    public init(plan: String, point: Int, values: [String], policies: [SweepOutcome]) {
        self.plan = plan
        self.point = point
        self.values = values
        self.policies = policies
    }
}

/// One policy at one point.
public struct SweepOutcome: Hashable, Sendable, Codable {
    public var policy: String
    /// Of the policy's name and parameters, tuned ones included.
    public var digest: String
    /// Whether the mean attainment of every class is at least what it was promised.
    public var meetsSLO: Bool
    /// By replication.
    public var fingerprints: [String]
    public var measurements: [SweepMeasurement]
    /// What a reader must know, over all replications, each once.
    public var warnings: [String]

    enum CodingKeys: String, CodingKey {
        case policy, digest, fingerprints, measurements, warnings
        case meetsSLO = "meets_slo"
    }
}

/// One number that each replication yields.
public struct SweepMeasurement: Hashable, Sendable, Codable {
    /// The keys of a summary, with points between them, such as `cost.total_usd`.
    public var path: String
    /// By replication.
    public var values: [Measurement.Quantity]
}

/// Whole numbers and others are JSON numbers, money is a decimal string, what could not be measured is null.
extension Measurement.Quantity: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .absent
        } else if let count = try? container.decode(Int64.self) {
            self = .count(count)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else {
            self = .money(try container.decode(USD.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .count(let value): try container.encode(value)
        case .number(let value):
            // A whole number has one spelling, so that what is read and written again has the same bytes.
            if let whole = Int64(exactly: value) { try container.encode(whole) } else { try container.encode(value) }
        case .money(let value): try container.encode(value)
        case .absent: try container.encodeNil()
        }
    }
}

extension SweepOutcome {
    /// - Precondition: there is at least one run, all of them of one policy.
    init(_ runs: [RunResult]) {
        policy = runs[0].policy
        digest = runs[0].policyFile.digest
        meetsSLO = runs.meetSLO
        fingerprints = runs.map(\.fingerprint)
        var warnings: [String] = []
        for warning in runs.flatMap(\.warnings) where !warnings.contains(warning) { warnings.append(warning) }
        self.warnings = warnings
        // A run may lack what others have, such as the cost of a capacity type it did not use.
        let all = runs.map(\.measurements)
        var paths: [[String]] = []
        var known: Set<[String]> = []
        for measurement in all.joined() where known.insert(measurement.path).inserted { paths.append(measurement.path) }
        let byPath = all.map { Dictionary(uniqueKeysWithValues: $0.map { ($0.path, $0.quantity) }) }
        measurements = paths.map { path in
            SweepMeasurement(path: path.joined(separator: "."), values: byPath.map { $0[path] ?? .absent })
        }
    }
}

extension [RunResult] {
    /// Whether replications, taken together, keep what every class was promised.
    var meetSLO: Bool {
        self[0].sloClasses.indices.allSatisfy { index in
            let mean = reduce(0) { $0 + $1.sloClasses[index].attainment } / Double(count)
            return mean >= self[0].sloClasses[index].sloClass.attainment
        }
    }
}

/// Plays one point: every policy over the same draws of the traffic.
///
/// - Parameters:
///   - scenario: With the point's values in place.
///   - policies: Of that scenario. At least one; what asks to be tuned is tuned at the point.
///   - workers: Runs at a time; the outcome does not depend on it.
public func playSweepPoint(
    _ scenario: Scenario, policies: [PolicyChoice], replications: Int, seed: UInt64, workers: Int
) async throws -> [SweepOutcome] {
    let (tuned, _) = try await tune(policies, in: scenario, workers: workers)
    let plans = tuned.flatMap { policy in
        (0..<replications).map { RunPlan(policy: policy, options: RunOptions(seed: seed, replication: $0)) }
    }
    let runs = try await runAll(plans, of: scenario, workers: workers)
    return tuned.indices.map { SweepOutcome(Array(runs[($0 * replications)..<(($0 + 1) * replications)])) }
}
