import Simulation
import Units

extension Comparison {
    /// Holds each policy's cost against what hindsight would have paid for the same traffic.
    ///
    /// - Parameter runs: By policy and replication, on the plant as profiled.
    mutating func addClairvoyant(_ runs: [[RunResult]], scenario: Scenario) {
        // Every policy meets the same arrivals, so the first one's runs tell the demand.
        let bounds = runs[0].compactMap { ClairvoyantCost.bound(of: $0, scenario: scenario) }
        guard bounds.count == runs[0].count, bounds.allSatisfy({ $0.lower > 0 }) else { return }
        clairvoyant = ClairvoyantCost(
            cost: Estimate(over: bounds.map { USD(nanodollars: $0.lower).dollars }, varied: varied),
            planCost: Estimate(over: bounds.map { USD(nanodollars: $0.plan).dollars }, varied: varied),
            assumptions: ClairvoyantCost.assumptions(of: runs[0][0], scenario: scenario))
        for index in rows.indices {
            guard let own = runs.first(where: { $0[0].policy == rows[index].policy }) else { continue }
            let ratios = zip(own, bounds).map { run, bound in
                run.bill.total.dollars / USD(nanodollars: bound.lower).dollars
            }
            rows[index].costOverClairvoyant = Estimate(over: ratios, varied: varied)
        }
    }
}
