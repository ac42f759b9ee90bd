import Formats
import Studies
import Units

/// `sweep.csv`: a row for each point and policy.
///
/// The point's number and values come first, then the policy, then every measurement under the path it has in a summary;
/// with replications these are means, each followed by the ends of its 95 % interval. What could not be measured is an
/// empty field.
public struct SweepTableFile: Sendable {
    public let text: String

    public init(_ table: SweepTable) {
        let hasIntervals = table.plan.replications > 1
        let measured = table.paths.flatMap { hasIntervals ? [$0, "\($0).low", "\($0).high"] : [$0] }
        var csv = CSVWriter(
            columns: ["point"] + table.plan.fields.map(\.path) + ["policy", "meets_slo", "replications"] + measured)
        for row in table.rows {
            let cells = Dictionary(uniqueKeysWithValues: row.cells.map { ($0.path, $0) })
            let numbers = table.paths.flatMap { path -> [String] in
                guard let cell = cells[path] else { return hasIntervals ? ["", "", ""] : [""] }
                return hasIntervals ? [cell.text, cell.text(\.lower), cell.text(\.upper)] : [cell.text]
            }
            csv.row(
                [String(row.point)] + row.values
                    + [row.policy, row.meetsSLO ? "true" : "false", String(table.plan.replications)] + numbers)
        }
        text = csv.text
    }
}

extension SweepCell {
    fileprivate var isMoney: Bool {
        if case .money = quantity { return true }
        return false
    }

    fileprivate var text: String {
        switch quantity {
        case .count(let value): String(value)
        case .number(let value): "\(value)"
        case .money(let value): value.description
        case .absent: ""
        }
    }

    fileprivate func text(_ end: (Estimate.Bounds) -> Double) -> String {
        guard let value = estimate.ci95.map(end) else { return "" }
        return isMoney ? USD(nearest: value).description : "\(value)"
    }
}

/// `sweep.json`: what was planned, and for each point and policy every measurement.
public struct SweepSummary: Encodable, Sendable {
    private let table: SweepTable

    public init(_ table: SweepTable) { self.table = table }

    public func encode(to encoder: any Encoder) throws {
        let plan = table.plan
        var container = encoder.container(keyedBy: SummaryKey.self)
        try container.encode(plan.scenario.name, forKey: SummaryKey("scenario"))
        try container.encode(plan.scenario.digest, forKey: SummaryKey("scenario_digest"))
        try container.encode(table.planDigest, forKey: SummaryKey("plan_digest"))
        try container.encode(plan.design, forKey: SummaryKey("design"))
        try container.encode(plan.seed, forKey: SummaryKey("seed"))
        try container.encode(plan.replications, forKey: SummaryKey("replications"))
        if plan.replications > 1 { try container.encode(plan.varied, forKey: SummaryKey("varied")) }
        try container.encode(plan.fields, forKey: SummaryKey("fields"))
        try container.encode(plan.points.count, forKey: SummaryKey("points"))
        try container.encode(table.missing, forKey: SummaryKey("missing_points"))
        try container.encode(table.rows.map { Row($0, fields: plan.fields) }, forKey: SummaryKey("rows"))
    }

    private struct Row: Encodable {
        let row: SweepRow
        let fields: [SweepPlan.Field]

        init(_ row: SweepRow, fields: [SweepPlan.Field]) {
            self.row = row
            self.fields = fields
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: SummaryKey.self)
            try container.encode(row.point, forKey: SummaryKey("point"))
            try container.encode(row.policy, forKey: SummaryKey("policy"))
            try container.encode(row.policyDigest, forKey: SummaryKey("policy_digest"))
            try container.encode(row.meetsSLO, forKey: SummaryKey("meets_slo"))
            try container.encode(row.fingerprints, forKey: SummaryKey("fingerprints"))
            try container.encode(row.warnings, forKey: SummaryKey("warnings"))
            var values = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("values"))
            for (field, value) in zip(fields, row.values) { try values.encode(value, forKey: SummaryKey(field.path)) }
            var measured = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("mean"))
            for cell in row.cells { try measured.encode(cell.quantity, forKey: SummaryKey(cell.path)) }
            guard row.fingerprints.count > 1 else { return }
            var intervals = container.nestedContainer(keyedBy: SummaryKey.self, forKey: SummaryKey("ci95"))
            for cell in row.cells {
                guard let bounds = cell.estimate.ci95 else { continue }
                let ends = [bounds.lower, bounds.upper].map {
                    cell.isMoney ? Measurement.Quantity.money(USD(nearest: $0)) : .number($0)
                }
                try intervals.encode(ends, forKey: SummaryKey(cell.path))
            }
        }
    }
}
