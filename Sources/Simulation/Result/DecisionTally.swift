import Control
import FleetModel
import Units

/// What a report tells of a policy's ticks, taken in one by one: of a simulation as it goes, of a live journal as it is read.
struct DecisionTally {
    private(set) var counts = ScalingCounts()
    /// At most `RunResult.keptDecisions`.
    private(set) var entries: [DecisionEntry] = []
    private var pools: [PoolID: Memory] = [:]

    private struct Memory {
        var change: (time: Instant, up: Bool)?
        /// Of the last decision written down: what the policy wanted, and what came of it.
        var noted: (wanted: Int, applied: Int)?
    }

    mutating func take(_ record: ControlRecord) {
        counts.decisions += 1
        for target in record.targets { note(target, of: record) }
        for intervention in record.interventions
        where !record.targets.contains(where: { $0.pool == intervention.pool }) {
            note(intervention, of: record)
        }
    }

    private mutating func note(_ target: AppliedTarget, of record: ControlRecord) {
        guard let pool = record.observation.pools.first(where: { $0.pool == target.pool }) else { return }
        let guards = record.interventions.filter { $0.pool == target.pool }
        var entry = DecisionEntry(
            time: record.time, pool: target.pool, from: pool.target, wanted: guards.first?.proposed ?? target.replicas,
            applied: target.replicas, reason: target.reason, guardReasons: guards.map(\.reason),
            rejected: record.decision.rejected.filter { $0.pool == target.pool })
        if let withheld = record.context?.withheld {
            entry.applied = pool.target
            entry.guardReasons.append(withheld.reason)
            if !isToldAlready(entry) { note(entry, isGuarded: !guards.isEmpty) }
        } else {
            countChange(from: pool.target, to: target.replicas, in: target.pool, at: record.time)
            note(entry, isGuarded: entry.wanted != entry.applied)
        }
    }

    /// A guard that kept a pool as it is.
    private mutating func note(_ intervention: GuardIntervention, of record: ControlRecord) {
        let entry = DecisionEntry(
            time: record.time, pool: intervention.pool, from: intervention.allowed, wanted: intervention.proposed,
            applied: intervention.allowed, reason: "held by a guard", guardReasons: [intervention.reason],
            rejected: record.decision.rejected.filter { $0.pool == intervention.pool })
        if !isToldAlready(entry) { note(entry, isGuarded: entry.wanted != entry.applied) }
    }

    /// The same refusal tick after tick is one story: it is told once.
    private func isToldAlready(_ entry: DecisionEntry) -> Bool {
        pools[entry.pool]?.noted.map { $0 == (entry.wanted, entry.applied) } ?? false
    }

    private mutating func note(_ entry: DecisionEntry, isGuarded: Bool) {
        pools[entry.pool, default: Memory()].noted = (entry.wanted, entry.applied)
        counts.noted += 1
        if isGuarded { counts.guarded += 1 }
        if entries.count < RunResult.keptDecisions { entries.append(entry) }
    }

    private mutating func countChange(from: Int, to level: Int, in pool: PoolID, at now: Instant) {
        counts.changes += 1
        let isUp = level > from
        if let last = pools[pool]?.change, last.up != isUp, now - last.time <= .minutes(30) { counts.reversals += 1 }
        pools[pool, default: Memory()].change = (now, isUp)
    }
}

extension Withholding {
    fileprivate var reason: String {
        switch self {
        case .shadow: "not done: the controller only watches"
        case .paused: "not done: an operator has paused the controller"
        }
    }
}
