import Control
import FleetModel
import Pricing
import Randomness
import Scaling
import Units

@testable import Simulation

/// The whole simulated world, played from the rules alone: every step of every replica is an event, nothing is skipped,
/// cached or kept sorted. What `FleetWorld` must equal to the nanosecond.
///
/// It shares with `FleetWorld` what both worlds of the product share, because fast-forwarding cannot break it: traffic,
/// the control loop with policies and guards, `ReplicaLifecycle`, the choice of a victim and the bill. Batching, steps,
/// routing, gateway, placement, metering, scraping and books are written anew.
///
/// Of one nanosecond, things happen in this order: in each pool arrivals, then replicas by place, then clients at the
/// gateway that give up; and when no pool has anything left to do, one occasion, in the order of the cases below.
struct PlainWorld {
    enum Occasion: CaseIterable {
        case scrape, control, timeline, chargePeriod, closeBooks
    }

    let scenario: Scenario
    /// The control tick after which who watches stops the run; `nil` plays it whole.
    let stopAfter: Int?
    var horizon: Instant
    var now: Instant
    var pools: [PlainPool]
    var control: ControlLoop
    var agenda: [Occasion: Instant] = [:]
    let rowSpan: TimeSpan

    var usage: [UsageRecord] = []
    var timeline: [TimelineRow] = []
    var decisions: [DecisionEntry] = []
    var scaling = ScalingCounts()
    private var lastChange: [PoolID: (time: Instant, isUp: Bool)] = [:]

    init(_ scenario: Scenario, control: ControlLoop, plantFactor: Double, stopAfter: Int?) {
        self.scenario = scenario
        self.control = control
        self.stopAfter = stopAfter
        now = scenario.start
        horizon = scenario.start + scenario.duration
        let rowSpan = Timeline.interval(
            duration: scenario.duration, tick: scenario.control.tick, pools: scenario.pools.count)
        self.rowSpan = rowSpan
        pools = scenario.pools.enumerated().map { index, configuration in
            var plant = configuration
            plant.profile.stepTime = plant.profile.stepTime.scaled(by: plantFactor)
            return PlainPool(
                index: index, plant: plant, scenario: scenario, streams: RandomStreams(seed: scenario.seed),
                rowSpan: rowSpan)
        }
        scrape()
        schedule(.scrape, after: scenario.control.scrape)
        schedule(.control, after: scenario.control.tick)
        schedule(.timeline, after: rowSpan)
        let hour = TimeSpan.hours(1).nanoseconds
        schedule(.chargePeriod, after: TimeSpan(nanoseconds: hour - now.nanoseconds % hour))
        agenda[.closeBooks] = horizon
    }

    /// Plays the world to the end of its last request.
    mutating func play() {
        while true {
            let next = (pools.map(\.nextTime) + agenda.values).min() ?? .never
            if next == .never { break }
            for pool in pools.indices { pools[pool].pass(next - now) }
            now = next
            if playOne() { continue }
            take(Occasion.allCases.first { agenda[$0] == now }!)
        }
        for pool in pools.indices { pools[pool].giveUpHeld(at: horizon) }
    }

    private mutating func playOne() -> Bool {
        for pool in pools.indices where pools[pool].playOne(at: now) { return true }
        return false
    }

    // MARK: - Occasions

    /// At the end of the run there is no occasion but the closing of the books.
    private mutating func schedule(_ occasion: Occasion, after span: TimeSpan) {
        agenda[occasion] = now + span < horizon ? now + span : nil
    }

    private mutating func take(_ occasion: Occasion) {
        switch occasion {
        case .scrape:
            scrape()
            schedule(.scrape, after: scenario.control.scrape)
        case .control:
            decide()
            schedule(.control, after: scenario.control.tick)
            if let stopAfter, scaling.decisions == stopAfter { stop() }
        case .timeline:
            writeTimeline()
            schedule(.timeline, after: rowSpan)
        case .chargePeriod:
            closeChargePeriods()
            schedule(.chargePeriod, after: .hours(1))
        case .closeBooks:
            writeTimeline()
            closeChargePeriods()
            for pool in pools.indices { pools[pool].areBooksOpen = false }
            agenda[.closeBooks] = nil
        }
    }

    /// Traffic and bill end now.
    private mutating func stop() {
        horizon = now
        agenda = [:]
        for pool in pools.indices { pools[pool].nextArrival = nil }
        take(.closeBooks)
    }

    private mutating func writeTimeline() {
        for pool in pools.indices { timeline.append(pools[pool].takeRow(at: now)) }
    }

    private mutating func closeChargePeriods() {
        for pool in pools.indices {
            pools[pool].closeChargePeriod(at: now)
            usage += pools[pool].usage
            pools[pool].usage = []
        }
    }

    // MARK: - Control

    private mutating func scrape() {
        for pool in pools {
            for place in pool.ready { control.ingest(pool.sample(of: place, at: now)) }
            control.ingest(pool.gatewaySample(at: now))
        }
    }

    private mutating func decide() {
        for pool in pools.indices { control.ingest(pools[pool].status(at: now)) }
        let record = control.tick(at: now)
        scaling.decisions += 1
        for target in record.targets {
            let pool = pools.firstIndex { $0.id == target.pool }!
            let from = pools[pool].target
            let guards = record.interventions.filter { $0.pool == target.pool }
            decisions.append(
                DecisionEntry(
                    time: now, pool: target.pool, from: from, wanted: guards.first?.proposed ?? target.replicas,
                    applied: target.replicas, reason: target.reason, guardReasons: guards.map(\.reason),
                    rejected: record.decision.rejected.filter { $0.pool == target.pool }))
            let isUp = target.replicas > from
            scaling.changes += 1
            if let last = lastChange[target.pool], last.isUp != isUp, now - last.time <= .minutes(30) {
                scaling.reversals += 1
            }
            lastChange[target.pool] = (now, isUp)
            pools[pool].target = target.replicas
            pools[pool].appliedGeneration = target.generation
            pools[pool].resize(to: target.replicas, at: now)
        }
        for guardrail in record.interventions where !record.targets.contains(where: { $0.pool == guardrail.pool }) {
            // The same refusal as the pool's entry before is not told again.
            if let last = decisions.last(where: { $0.pool == guardrail.pool }), last.wanted == guardrail.proposed,
                last.applied == guardrail.allowed
            {
                continue
            }
            decisions.append(
                DecisionEntry(
                    time: now, pool: guardrail.pool, from: guardrail.allowed, wanted: guardrail.proposed,
                    applied: guardrail.allowed, reason: "held by a guard", guardReasons: [guardrail.reason],
                    rejected: record.decision.rejected.filter { $0.pool == guardrail.pool }))
        }
    }

    // MARK: - Sums

    /// What the ticks did. Every decision told is counted, and those that a guard changed.
    var counts: ScalingCounts {
        var counts = scaling
        counts.noted = Int64(decisions.count)
        counts.guarded = Int64(decisions.count { $0.wanted != $0.applied })
        return counts
    }

    func bill() throws -> Bill {
        try Bill(
            usage: usage, book: scenario.priceBook, tenants: scenario.tenants, weights: scenario.allocation)
    }

    /// ∫ requests in the system dt, counted at each moment at which one comes or goes.
    var requestNanoseconds: Int128 {
        var sum: Int128 = 0
        for pool in pools {
            let moments = pool.records.flatMap { [($0.arrival.time, 1), ($0.end, -1)] }.sorted { $0.0 < $1.0 }
            var inSystem = 0
            for (index, moment) in moments.enumerated() {
                if index > 0 { sum += Int128(inSystem) * Int128((moment.0 - moments[index - 1].0).nanoseconds) }
                inSystem += moment.1
            }
        }
        return sum
    }
}
