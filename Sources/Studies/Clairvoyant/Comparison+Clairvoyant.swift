import Simulation
import Units

extension Comparison {
    /// Holds each policy's cost against what hindsight would have paid for the same traffic.
    ///
    /// - Parameters:
    ///   - runs: By policy and replication, on the plant as profiled. Those of the first policy have the bounds: every
    ///     policy meets the same arrivals, so they hold for all.
    ///   - result: Any run of the scenario.
    mutating func addClairvoyant(_ runs: [[RunFigures]], result: RunResult, scenario: Scenario) {
        let bounds = runs[0].compactMap(\.clairvoyant)
        guard bounds.count == runs[0].count, bounds.allSatisfy({ $0.lower > .zero }) else { return }
        clairvoyant = ClairvoyantCost(
            cost: Estimate(over: bounds.map(\.lower.dollars), varied: varied),
            planCost: Estimate(over: bounds.map(\.plan.dollars), varied: varied),
            assumptions: ClairvoyantCost.assumptions(of: result, scenario: scenario))
        for index in rows.indices {
            guard let own = runs.first(where: { $0[0].policy == rows[index].policy }) else { continue }
            let ratios = zip(own, bounds).map { $0.cost / $1.lower.dollars }
            rows[index].costOverClairvoyant = Estimate(over: ratios, varied: varied)
        }
    }
}
