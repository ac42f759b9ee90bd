import EngineModel
import FleetModel
import Simulation
import Units

/// What a scenario would have cost in hindsight: the bound that policies are held against.
///
/// A lower bound in this sense: over all plans that know every arrival, resize at the ends of the intervals, hold at
/// least the pools' minimum, pay for instances while they boot, and leave no more requests late than the SLO classes
/// allow, where `n` ready replicas answer in time at most `n · capacity` requests of an interval, and what is beyond them
/// is late. Whatever is uncertain in it is taken in the plan's favour: a replica carries what it can with an average
/// batch that just keeps the loosest promise made in its pool, requests may be answered into the next interval by as long
/// as a promise lets them wait, any pool may use up the whole allowance of its classes, instances that become ready within
/// an interval serve all of it, and neither rounding of charged time nor minimum charges are paid. It is as true as the
/// capacity is: the profile's steady state at the mean lengths (`ReplicaCapacity`), which knows no variance of lengths.
public struct ClairvoyantCost: Hashable, Sendable {
    /// In USD, with an interval over replications.
    public var cost: Estimate
    /// The same of the best plan found: how far the bound may lie below the true optimum.
    public var planCost: Estimate
    /// What it assumes, a sentence each, with the capacity of each pool.
    public var assumptions: [String]

    /// The shortest interval: plans may not resize more often.
    static let interval = TimeSpan.minutes(1)
}

/// The bound of one replication and the cost of the best plan found for it.
struct ClairvoyantFigures: Hashable, Sendable {
    var lower = USD.zero
    var plan = USD.zero

    /// - Parameter result: Any run on the replication's traffic: all policies meet the same arrivals.
    /// - Returns: `nil` when no plan keeps the promise by the profile, or a pool caches prefixes.
    init?(_ result: RunResult, of scenario: Scenario) {
        for pool in scenario.pools.indices {
            guard let bound = ClairvoyantPool(pool, of: scenario, result: result)?.problem.bound() else { return nil }
            lower += USD(nanodollars: bound.lower)
            plan += USD(nanodollars: bound.plan.cost)
        }
    }
}

extension ClairvoyantCost {
    /// What the bound assumes of a scenario.
    static func assumptions(of result: RunResult, scenario: Scenario) -> [String] {
        var list = [
            "sizes change at the ends of intervals of \(interval) or a little more, with every arrival known beforehand",
            "booting instances are paid for, charged time is not rounded, the promise may be missed as often as allowed",
        ]
        for index in scenario.pools.indices {
            guard let pool = ClairvoyantPool(index, of: scenario, result: result) else { continue }
            list.append(
                "a replica of \(scenario.pools[index].id.name) carries \(hundredths(pool.ratePerReplica)) requests/s "
                    + "within the loosest promise, by its profile at the mean lengths")
        }
        return list
    }

    private static func hundredths(_ value: Double) -> String {
        let scaled = Int((value * 100).rounded())
        return "\(scaled / 100).\(scaled % 100 < 10 ? "0" : "")\(scaled % 100)"
    }
}

/// One pool of a run as the clairvoyant planner sees it.
struct ClairvoyantPool {
    let problem: ClairvoyantProblem
    /// Requests per second.
    let ratePerReplica: Double

    /// - Returns: `nil` when a replica cannot answer a mean request within the promise at all, and for a pool that caches
    ///   prefixes: by the profile alone it would seem to carry less than it does, and the bound would be none.
    init?(_ index: Int, of scenario: Scenario, result: RunResult) {
        let pool = scenario.pools[index]
        guard !pool.batcher.prefixCaching else { return nil }
        let rows = result.timeline.filter { $0.pool == pool.id }
        guard let price = scenario.priceBook.price(of: pool.offering) else { return nil }
        let classes = Self.classes(of: pool.id, in: scenario)
        let arrived = rows.reduce(0) { $0 + $1.arrived }
        let capacity = ReplicaCapacity(
            stepTime: pool.profile.stepTime.scaled(by: result.plantFactor),
            limits: ReplicaLimits(
                kvTokens: Int64(pool.batcher.totalBlocks * pool.batcher.blockSize),
                maxSequences: Int64(pool.batcher.maxSequences),
                maxBatchedTokens: Int64(pool.batcher.maxBatchedTokens)),
            promptTokens: Double(rows.reduce(0) { $0 + $1.promptTokensOffered }) / Double(max(1, arrived)),
            outputTokens: Double(rows.reduce(0) { $0 + ($1.outputTokensOffered ?? 0) }) / Double(max(1, arrived)))
        let rate = capacity.largestRate(
            ttft: loosest(classes.map(\.ttft)), tpot: loosest(classes.map(\.tpot)), deviations: 0)
        guard rate > 0 || arrived == 0 else { return nil }
        ratePerReplica = rate
        let patience = loosest(classes.map { $0.ttft ?? $0.e2e }) ?? scenario.duration
        let slots = pool.replicasPerInstance
        let intervals = Self.intervals(rows)
        let carried = intervals.map { interval in
            // A whole request more than the product: the bound must not be too high by a rounding.
            let requests = rate * (interval.span + patience).seconds * Double(slots)
            return Int64(min(requests, 1e12)) + 1
        }
        // More than the busiest interval needs is never worth its price.
        let needed = zip(intervals, carried).map { Int(($0.arrived + $1 - 1) / $1) }.max() ?? 0
        let minimum = Self.instances(pool.bounds.minimum, slots)
        let initial = Self.instances(pool.initialReplicas, slots)
        let start = pool.coldStart
        var time = TimeSpan.zero
        var bootIntervals = 0
        for interval in intervals {
            time += interval.span
            if time <= start.total { bootIntervals += 1 }
        }
        problem = ClairvoyantProblem(
            arrivals: intervals.map(\.arrived), capacity: carried,
            price: intervals.map { price.rate.cost(of: $0.span).nanodollars },
            startPrice: price.rate.cost(of: start.total - start.provision).nanodollars, initial: initial,
            bootIntervals: bootIntervals, minimum: minimum,
            maximum: max(initial, min(Self.instances(pool.bounds.maximum, slots), max(minimum, needed))),
            allowedLate: Self.allowedLate(classes, in: result))
    }

    /// Instances that hold so many replicas.
    private static func instances(_ replicas: Int, _ slots: Int) -> Int { (replicas + slots - 1) / slots }

    /// SLO classes with traffic in a pool, each once.
    private static func classes(of pool: PoolID, in scenario: Scenario) -> [SLOClass] {
        let used =
            scenario.sources.filter { $0.pool == pool }.map(\.sloClass)
            + scenario.traces.filter { $0.pool == pool }.map(\.sloClass)
        return scenario.sloClasses.indices.filter(used.contains).map { scenario.sloClasses[$0] }
    }

    /// Requests that these classes may miss in all, whatever the pool.
    private static func allowedLate(_ classes: [SLOClass], in result: RunResult) -> Int64 {
        result.sloClasses.filter { classes.contains($0.sloClass) }.reduce(0) {
            $0 + Int64(((1 - $1.sloClass.attainment) * Double($1.arrived) + 1e-6).rounded(.down))
        }
    }

    /// Rows of the timeline put together until they last a minute.
    private static func intervals(_ rows: [TimelineRow]) -> [(span: TimeSpan, arrived: Int64)] {
        var list: [(span: TimeSpan, arrived: Int64)] = []
        for row in rows {
            if let last = list.last, last.span < ClairvoyantCost.interval {
                list[list.count - 1] = (last.span + row.span, last.arrived + row.arrived)
            } else {
                list.append((row.span, row.arrived))
            }
        }
        return list
    }
}

/// The longest of some targets; `nil` when one is not promised, or there are none.
private func loosest(_ targets: [TimeSpan?]) -> TimeSpan? {
    targets.contains(nil) ? nil : targets.compactMap { $0 }.max()
}
