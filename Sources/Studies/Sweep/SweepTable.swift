import Simulation
import Units

/// The results of a sweep side by side, whoever played which part of it.
public struct SweepTable: Hashable, Sendable {
    public var plan: SweepPlan
    /// The digest of the plan's content.
    public var planDigest: String
    /// By point, then in the plan's order of policies.
    public var rows: [SweepRow]
    /// Points without a result, in order.
    public var missing: [Int]
    /// Paths of all measurements, in the order they are met.
    public var paths: [String]

    /// - Parameter results: Of the plan's points, in their order; a point may be missing.
    public init(plan: SweepPlan, planDigest: String, results: [SweepResult]) {
        self.plan = plan
        self.planDigest = planDigest
        rows = results.flatMap { result in
            result.policies.map { SweepRow(point: result.point, values: result.values, $0, varied: plan.varied) }
        }
        let present = Set(results.map(\.point))
        missing = plan.points.indices.filter { !present.contains($0) }
        var known: Set<String> = []
        paths = rows.flatMap { $0.cells.map(\.path) }.filter { known.insert($0).inserted }
    }

    /// Rows that keep what was promised, the cheapest first; of equals the one that comes first in the plan.
    public var cheapest: [SweepRow] {
        func cost(_ row: SweepRow) -> Double { row["cost.total_usd"]?.estimate.value ?? .infinity }
        return rows.enumerated().filter(\.element.meetsSLO)
            .sorted { (cost($0.element), $0.offset) < (cost($1.element), $1.offset) }.map(\.element)
    }
}

/// One policy at one point, over all replications.
public struct SweepRow: Hashable, Sendable {
    public var point: Int
    /// By field of the plan, as a scenario writes it.
    public var values: [String]
    public var policy: String
    public var policyDigest: String
    public var meetsSLO: Bool
    /// By replication.
    public var fingerprints: [String]
    public var cells: [SweepCell]
    public var warnings: [String]

    /// The cell of a measurement; `nil` when a replication could not measure it.
    public subscript(path: String) -> SweepCell? { cells.first { $0.path == path } }

    init(point: Int, values: [String], _ outcome: SweepOutcome, varied: String) {
        self.point = point
        self.values = values
        policy = outcome.policy
        policyDigest = outcome.digest
        meetsSLO = outcome.meetsSLO
        fingerprints = outcome.fingerprints
        warnings = outcome.warnings
        cells = outcome.measurements.compactMap { SweepCell($0, varied: varied) }
    }
}

/// A measurement at a point: its mean over replications, with an interval from two on.
public struct SweepCell: Hashable, Sendable {
    public var path: String
    public var estimate: Estimate
    /// The mean as it is written: exact where there is one replication.
    public var quantity: Measurement.Quantity

    /// `nil` when a replication had nothing to measure: a mean over the others would be biased.
    init?(_ measurement: SweepMeasurement, varied: String) {
        let values = measurement.values.compactMap(\.estimate)
        guard !values.isEmpty, values.count == measurement.values.count else { return nil }
        path = measurement.path
        estimate = Estimate(over: values, varied: varied)
        if values.count == 1 {
            quantity = measurement.values[0]
        } else if case .money = measurement.values[0] {
            quantity = .money(USD(nanodollars: Int64((estimate.value * 1e9).rounded())))
        } else {
            quantity = .number(estimate.value)
        }
    }
}
