import FleetModel
import Formats
import Pricing
import Simulation
import Units

/// `bill.csv`: the bill as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification, which many tools read.
///
/// One row for each tenant that an instance served in a charge period, and one under the sub-account `overhead` for what no
/// tenant used. Amounts are plain decimals in USD, times are UTC and half-open, and an empty field is null.
///
/// `BilledCost` and `EffectiveCost` are exact to the nanodollar and sum to the bill. `ListUnitPrice` is the price of the
/// book for the offering's own capacity type, so a spot row shows no saving against on-demand. `ListCost` and
/// `ContractedCost` are exactly unit price × `PricingQuantity`, with every decimal; the quantity is the row's cost over
/// the price, rounded to 10⁻¹⁵ hours, so that the product rounds to `BilledCost`. `ConsumedQuantity` is in seconds of
/// replica slots, of which an instance may have several.
public struct BillFile: Sendable {
    public let text: String

    /// - Parameter weights: Those that the bill was made with.
    public init(_ result: RunResult, weights: AllocationWeights) {
        let method = "tokens-weighted (prompt \(weights.promptToken), output \(weights.outputToken))"
        let run = "\(result.policy)/seed-\(result.seed)/replication-\(result.replication)"
        let invoice = Invoice(
            id: "\(result.scenario)/\(result.record == nil ? run : "live/\(result.start)")", account: result.scenario,
            start: result.start, end: result.start + result.duration,
            allocationMethod: method)
        var csv = CSVWriter(columns: FocusRow.columns)
        for line in result.bill.lines {
            for (index, tenant) in result.bill.tenants.enumerated() {
                let row = FocusRow(line: line, tenant: tenant, index: index)
                if !row.isVacant { csv.row(row.fields(in: invoice)) }
            }
            csv.row(FocusRow(overheadOf: line).fields(in: invoice))
        }
        text = csv.text
    }
}

/// What all rows of a bill share.
struct Invoice {
    var id: String
    var account: String
    var start: Instant
    var end: Instant
    var allocationMethod: String
}
