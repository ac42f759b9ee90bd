import Control
import FleetModel
import Pricing
import Scaling
import Units

@testable import Simulation

extension SmallFleet {
    /// What became of one request, in either world.
    struct Fate: Hashable, Comparable, CustomStringConvertible {
        var arrival: Arrival
        var outcome: RequestOutcome?
        var admitted: Instant
        var firstToken: Instant
        var end: Instant
        var instance: String?

        /// Requests in order of arrival; those that are alike in all that their clients sent are interchangeable.
        private var key: [Int64] {
            [
                arrival.time.nanoseconds, Int64(arrival.promptTokens), Int64(arrival.outputTokens),
                Int64(arrival.tenant), Int64(arrival.sloClass), Int64(bitPattern: arrival.content.own),
                Int64(outcome?.rawValue ?? .max), end.nanoseconds,
                firstToken.nanoseconds, admitted.nanoseconds,
            ]
        }

        static func < (a: Fate, b: Fate) -> Bool {
            if a.arrival.time != b.arrival.time { return a.arrival.time < b.arrival.time }
            return a.key != b.key ? a.key.lexicographicallyPrecedes(b.key) : (a.instance ?? "") < (b.instance ?? "")
        }

        /// Times after the arrival.
        var description: String {
            func after(_ time: Instant) -> String { time == .never ? "never" : "+\((time - arrival.time).nanoseconds)" }
            return "\(arrival): \(outcome.map { "\($0)" } ?? "no outcome"): admitted \(after(admitted)), first token "
                + "\(after(firstToken)), end \(after(end)) ns, on \(instance ?? "no machine")"
        }
    }

    /// What the fast world did, and what it showed its policy.
    struct Played {
        var fates: [[Fate]]
        var phases: [[PoolLog.Phase]]
        var observations: [FleetObservation]
        var result: RunResult
    }

    /// The loop that both worlds run: the fleet's policy, watched, under guards of the fleet's own.
    private func controlLoop(_ notebook: WatchedPolicy.Notebook) throws -> ControlLoop {
        let pools = fleet.pools.map { ObservedPool(id: $0.id, bounds: $0.bounds) }
        let policy: any ScalingPolicy =
            isWhimsical
            ? WhimsicalPolicy(parameters: .init(seed: seed)) : try fleet.policy(policy)
        return ControlLoop(
            observer: Observer(pools: pools, window: fleet.control.window, staleness: fleet.control.staleness),
            policy: WatchedPolicy(policy, notebook: notebook), limits: limits)
    }

    func playPlain() throws -> (world: PlainWorld, observations: [FleetObservation]) {
        let scenario = scenario
        let notebook = WatchedPolicy.Notebook()
        var world = PlainWorld(
            scenario, control: try controlLoop(notebook), plantFactor: plantFactor, stopAfter: stopAfter)
        world.play()
        return (world, notebook.observations)
    }

    func playSimulated(threads: Int = 1) throws -> Played {
        let scenario = scenario
        var world = try FleetWorld(
            scenario, policy: policy, options: RunOptions(plantFactor: plantFactor, threads: threads))
        for pool in world.pools.indices { world.pools[pool].log = PoolLog() }
        let notebook = WatchedPolicy.Notebook()
        world.control = try controlLoop(notebook)
        world.scrape(at: scenario.start)
        var ticks = 0
        world.run { _ in
            ticks += 1
            return ticks == stopAfter ? .stop : .goOn
        }
        let logs = world.pools.map { $0.log! }
        return Played(
            fates: logs.map { log in
                log.ends.map { told in
                    let request = told.end.request
                    return Fate(
                        arrival: request.arrival, outcome: told.end.outcome, admitted: request.admitted,
                        firstToken: request.firstToken, end: told.end.time, instance: told.instance)
                }
            },
            phases: logs.map(\.phases), observations: notebook.observations, result: try world.result())
    }

    // MARK: - Comparing

    /// What the two worlds disagree on first; `nil` when they agree on everything.
    func difference() throws -> String? { difference(from: try playPlain()) }

    /// A world that refuses to be played or billed differs too.
    func difference(from plain: (world: PlainWorld, observations: [FleetObservation])) -> String? {
        do {
            return try difference(on: plain)
        } catch {
            return "\(error)"
        }
    }

    private func difference(on plain: (world: PlainWorld, observations: [FleetObservation])) throws -> String? {
        let fast = try playSimulated()
        if let difference = try difference(from: plain, to: fast) { return difference }
        guard fleet.pools.count > 1 else { return nil }
        return try difference(from: plain, to: try playSimulated(threads: 3)).map { "on three threads, \($0)" }
    }

    private func difference(
        from plain: (world: PlainWorld, observations: [FleetObservation]), to fast: Played
    ) throws -> String? {
        let (world, result) = (plain.world, fast.result)
        var first = FirstDifference()
        for (index, pool) in world.pools.enumerated() {
            let sum = result.pools[index]
            first.compare("request of \(pool.id)", pool.records.map(Fate.init).sorted(), fast.fates[index].sorted())
            first.compare("change of phase in \(pool.id)", pool.phases, fast.phases[index])
            first.compare("steps of \(pool.id)", pool.stepCount, sum.steps)
            first.compare("busy time of \(pool.id)", pool.busy, sum.busy)
            first.compare("most replicas of \(pool.id)", pool.maxReplicas, sum.maxReplicas)
            let span = Double((world.horizon - fleet.start).nanoseconds)
            first.compare("mean replicas of \(pool.id)", Double(pool.replicaNanoseconds) / span, sum.meanReplicas)
        }
        first.compare("observation", plain.observations.map(\.exact), fast.observations.map(\.exact))
        first.compare("decision", world.decisions, result.decisions)
        first.compare("counts of scaling", world.counts, result.scaling)
        first.compare("usage record", world.usage.sorted(by: isBefore), result.usage.sorted(by: isBefore))
        first.compare("row of the timeline", world.timeline, result.timeline)
        first.compare("preemptions", world.pools.reduce(0) { $0 + $1.preemptions }, result.preemptions)
        first.compare("gaps between tokens", world.pools.reduce(0) { $0 + $1.gaps }, result.itl.count)
        first.compare("∫ requests dt", world.requestNanoseconds, result.requestNanoseconds)
        first.compare("sum of sojourns", world.requestNanoseconds, result.sojournNanoseconds)
        let completed = world.pools.flatMap(\.records).filter { $0.outcome == .completed }
        let outputTokens = completed.reduce(Int64(0)) { $0 + Int64($1.arrival.outputTokens) }
        let met = world.pools.reduce(Int64(0)) { sum, pool in sum + Int64(pool.records.count { pool.isMet($0) }) }
        first.compare("completed requests", Int64(completed.count), result.outcomes.completed)
        first.compare("output tokens", outputTokens, result.outputTokens)
        first.compare("requests that kept every promise", met, result.tenants.reduce(0) { $0 + $1.met })
        let bill = try world.bill()
        first.compare("bill", bill.total, result.bill.total)
        first.compare("split of the bill", bill.split, result.bill.split)
        return first.text
    }

    private func isBefore(_ a: UsageRecord, _ b: UsageRecord) -> Bool {
        (a.instance, a.start, a.end) < (b.instance, b.start, b.end)
    }
}

/// The first thing of several in which two worlds differ, in words.
private struct FirstDifference {
    var text: String?

    mutating func compare<Value: Equatable>(_ what: String, _ plain: Value, _ fast: Value) {
        if text == nil, plain != fast { text = "\(what): plain \(plain), fast \(fast)" }
    }

    mutating func compare<Value: Equatable>(_ what: String, _ plain: [Value], _ fast: [Value]) {
        guard text == nil, plain != fast else { return }
        let index = zip(plain, fast).enumerated().first { $1.0 != $1.1 }?.offset ?? min(plain.count, fast.count)
        func at(_ values: [Value]) -> String { index < values.count ? "\(values[index])" : "none" }
        text = "\(what), number \(index):\n  plain \(at(plain))\n  fast  \(at(fast))"
    }
}

extension SmallFleet.Fate {
    fileprivate init(_ record: PlainPool.Record) {
        self.init(
            arrival: record.arrival, outcome: record.outcome, admitted: record.admitted,
            firstToken: record.firstToken, end: record.end, instance: record.instance)
    }
}

extension FleetObservation {
    /// Without what the fast world gives only nearly: it counts the gaps between tokens of a run by the cells of a
    /// histogram, so their quantiles may fall in a bucket beside the right one. Their number is exact.
    fileprivate var exact: FleetObservation {
        var copy = self
        for pool in copy.pools.indices {
            copy.pools[pool].itl?.p50 = 0
            copy.pools[pool].itl?.p90 = 0
            copy.pools[pool].itl?.p99 = 0
        }
        return copy
    }
}
