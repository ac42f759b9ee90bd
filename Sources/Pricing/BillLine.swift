import FleetModel
import Units

/// One instance over one charge period, priced.
public struct BillLine: Hashable, Sendable {
    public let usage: UsageRecord
    public let price: Price
    /// Time charged for: the period rounded as the price's billing rule says, so it may exceed the period, or be zero
    /// when an hour begun earlier already pays for it.
    public let charged: TimeSpan
    /// `charged` at the price's rate, rounded once, half to even.
    public let cost: USD
    /// Who pays it. Sums to `cost`.
    public let split: CostSplit
    /// Time in steps by tenant index, divided as its cost is: sums to the record's, or to zero without tokens.
    public let busy: [TimeSpan]

    init(usage: UsageRecord, price: Price, weights: AllocationWeights) {
        self.usage = usage
        self.price = price
        charged = price.billing.charged(for: usage)
        cost = price.rate.cost(of: charged)
        let tokens = zip(usage.promptTokens, usage.outputTokens).map { prompt, output in
            Int128(prompt) * Int128(weights.promptToken) + Int128(output) * Int128(weights.outputToken)
        }
        let served = tokens.contains { $0 > 0 }
        split = CostSplit(of: cost, over: usage, servedTokens: served ? tokens : nil)
        busy =
            served
            ? apportion(usage.busy.nanoseconds, by: tokens).map(TimeSpan.init(nanoseconds:))
            : tokens.map { _ in .zero }
    }
}

extension BillingRule {
    /// The time that `usage` adds to what its instance is charged for since its launch.
    ///
    /// Rounding is over the instance's life, not over the record: launched at 10:30 and billed by the hour, the records
    /// 10:30–11:00, 11:00–12:00 and 12:00–12:10 add 1 h, 1 h and nothing, because 1 h 40 min of life costs two hours.
    func charged(for usage: UsageRecord) -> TimeSpan {
        var lifetime = roundedUp(usage.end - usage.launched)
        if usage.terminated { lifetime = max(lifetime, roundedUp(minimum)) }
        return lifetime - roundedUp(usage.start - usage.launched)
    }

    private func roundedUp(_ span: TimeSpan) -> TimeSpan {
        let (whole, rest) = span.nanoseconds.quotientAndRemainder(dividingBy: increment.nanoseconds)
        return increment * (rest > 0 ? whole + 1 : whole)
    }
}
