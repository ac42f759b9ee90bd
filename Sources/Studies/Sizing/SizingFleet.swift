import FleetModel
import Pricing
import Simulation
import Units

/// One combination of ways to build the pools, and what fixed numbers of replicas cost in it.
public struct SizingFleet: Sendable {
    /// Index of the alternative of each pool; 0 is the pool as written.
    public let choice: [Int]
    /// Names of the alternatives that differ from the scenario as written, such as `chat on h200`; empty otherwise.
    public let name: String
    public let scenario: Scenario
    /// What one instance of each pool costs over the whole run, to the nanodollar.
    let instanceCosts: [USD]

    /// Every combination of the alternatives, the scenario as written first.
    ///
    /// - Throws: `PricingError` when an offering has no price.
    static func all(of scenario: Scenario) throws(PricingError) -> [SizingFleet] {
        let pools = scenario.sizing?.pools ?? scenario.pools.map { [PoolAlternative(configuration: $0)] }
        var choices: [[Int]] = [[]]
        for alternatives in pools { choices = choices.flatMap { head in alternatives.indices.map { head + [$0] } } }
        var fleets: [SizingFleet] = []
        for choice in choices {
            fleets.append(try SizingFleet(scenario, choice, zip(pools, choice).map { $0[$1] }))
        }
        return fleets
    }

    private init(_ scenario: Scenario, _ choice: [Int], _ pools: [PoolAlternative]) throws(PricingError) {
        self.choice = choice
        name = pools.compactMap { pool in pool.name.map { "\(pool.configuration.id.name) on \($0)" } }
            .joined(separator: ", ")
        var copy = scenario
        copy.pools = pools.map(\.configuration)
        self.scenario = copy
        var costs: [USD] = []
        for pool in copy.pools { costs.append(try Self.instanceCost(of: pool, in: copy)) }
        instanceCosts = costs
    }

    /// What an instance costs that is held from the run's start to its end: the bill of its charge periods, which end
    /// on the hours of the calendar.
    private static func instanceCost(of pool: PoolConfiguration, in scenario: Scenario) throws(PricingError) -> USD {
        let (start, end) = (scenario.start, scenario.start + scenario.duration)
        let hour = TimeSpan.hours(1).nanoseconds
        let none = scenario.tenants.map { _ in Int64(0) }
        var usage: [UsageRecord] = []
        var time = start
        while time < end {
            let next = min(end, Instant(nanoseconds: (time.nanoseconds / hour + 1) * hour))
            usage.append(
                UsageRecord(
                    instance: "held", pool: pool.id, offering: pool.offering, slots: pool.replicasPerInstance,
                    launched: start, start: time, end: next, terminated: false, busy: .zero, idle: .zero,
                    starting: .zero, draining: .zero, promptTokens: none, outputTokens: none, requests: none))
            time = next
        }
        return try Bill(
            usage: usage, book: scenario.priceBook, tenants: scenario.tenants, weights: scenario.allocation
        ).total
    }

    /// What fixed numbers of replicas cost over the run, known without simulating it: whole instances are paid for.
    func cost(of counts: [Int]) -> USD {
        var total = USD.zero
        for (pool, count) in counts.enumerated() {
            let slots = scenario.pools[pool].replicasPerInstance
            total.nanodollars += instanceCosts[pool].nanodollars * Int64((count + slots - 1) / slots)
        }
        return total
    }

    /// The counts of a pool worth trying, ascending: of those that cost the same the largest, which serves best.
    func levels(of pool: Int) -> [Int] {
        let (bounds, slots) = (scenario.pools[pool].bounds, scenario.pools[pool].replicasPerInstance)
        return (bounds.minimum...bounds.maximum).filter { $0 == bounds.maximum || $0 % slots == 0 }
    }

    /// The scenario in which so many replicas are ready from the start, for a policy that leaves them alone.
    func scenario(holding counts: [Int]) -> Scenario {
        var copy = scenario
        for (pool, count) in counts.enumerated() { copy.pools[pool].initialReplicas = count }
        return copy
    }

    /// Whether the fleet's price per hour is within the ceiling of the control loop.
    func isWithinCeiling(_ counts: [Int]) -> Bool {
        guard let ceiling = scenario.control.spendingCeiling else { return true }
        var rate: Int64 = 0
        for (pool, count) in zip(scenario.pools, counts) {
            let instances = (count + pool.replicasPerInstance - 1) / pool.replicasPerInstance
            rate += (scenario.priceBook.price(of: pool.offering)?.rate.nanodollars ?? 0) * Int64(instances)
        }
        return rate <= ceiling.nanodollars
    }
}
