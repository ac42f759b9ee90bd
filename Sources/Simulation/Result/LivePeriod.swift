import Control
import FleetModel
import Pricing
import Scaling
import Statistics
import Units

/// A period of the live world, taken in record by record, as the result that a simulation of it would have.
///
///     var period = LivePeriod(scenario, from: start, to: end, usage: usage)
///     for record in journal { period.take(record) }
///     for request in ledger { period.take(request) }
///     let result = try period.result(policy: "lookahead", file: policyFile, record: record)
///
/// Requests, decisions and usage go through the code that counts them in a simulation. A machine's charge period that
/// reaches beyond the period is cut: its time is exact, and what it was used for is taken in proportion.
public struct LivePeriod: Sendable {
    let scenario: Scenario
    let start: Instant
    let end: Instant
    /// In the period, without tokens.
    public private(set) var usage: [MachineUsage] = []
    private(set) var decisions = DecisionTally()
    private(set) var requests: [LiveRequest] = []
    private(set) var levels: LiveLevels
    /// What a reader must know before believing the figures.
    public var warnings: [String] = []
    /// Ticks whose targets were not applied.
    private var withheld = 0
    /// Charge periods that were cut.
    private var cut = 0

    /// - Parameters:
    ///   - scenario: With the pools that were live.
    ///   - usage: Whole files: a machine's name may come again, and is then given a number.
    /// - Precondition: `start < end`.
    public init(_ scenario: Scenario, from start: Instant, to end: Instant, usage: [MachineUsage]) {
        precondition(start < end, "a period from \(start) to \(end)")
        self.scenario = scenario
        (self.start, self.end) = (start, end)
        for machine in Self.named(usage) {
            guard let record = machine.record.cut(from: start, to: end) else { continue }
            if record.start > machine.record.start || record.end < machine.record.end { cut += 1 }
            let uncounted = record.countingNothing(tenants: scenario.tenants.count)
            self.usage.append(MachineUsage(uncounted, replicas: machine.replicas))
        }
        levels = LiveLevels(scenario, start: start, duration: end - start, usage: self.usage.map(\.record))
    }

    /// A folder that was used again begins to count machines anew: each life gets a name of its own.
    private static func named(_ usage: [MachineUsage]) -> [MachineUsage] {
        var lives: [String: [Instant]] = [:]
        return usage.map { machine in
            var named = machine
            let (name, launched) = (machine.record.instance, machine.record.launched)
            if lives[name]?.contains(launched) != true { lives[name, default: []].append(launched) }
            let number = lives[name]!.firstIndex(of: launched)!
            if number > 0 { named.record.instance = "\(name)-\(number + 1)" }
            return named
        }
    }

    /// Takes in a tick of the journal; in order of time. One outside the period is passed over.
    public mutating func take(_ record: ControlRecord) {
        guard record.time >= start, record.time <= end else { return }
        decisions.take(record)
        withheld += record.context?.withheld == nil ? 0 : 1
        levels.take(record)
    }

    /// Takes in a row of the ledger. One that neither arrived nor ended in the period is passed over.
    public mutating func take(_ request: LiveRequest) {
        guard isInside(request.arrival.time) || isInside(request.ended) else { return }
        requests.append(request)
    }

    func isInside(_ time: Instant) -> Bool { time >= start && time < end }

    /// Requests taken in so far, and ticks.
    public var requestCount: Int { requests.count }
    public var tickCount: Int { Int(decisions.counts.decisions) }

    /// What it came to.
    ///
    /// - Parameters:
    ///   - label: Of the policy, in the scenario.
    ///   - file: The policy as it was live.
    /// - Throws: `PricingError` when the usage cannot be priced or contradicts itself.
    public func result(
        policy label: String, file: PolicyFile, record: LiveRecord
    ) throws(PricingError) -> RunResult {
        var run = LiveTally(self)
        run.countRequests()
        let bill = try Bill(
            usage: run.usage, book: scenario.priceBook, tenants: scenario.tenants, weights: scenario.allocation)
        var fingerprint = run.tally.fingerprint
        for entry in decisions.entries {
            fingerprint.combine(entry.time.nanoseconds)
            fingerprint.combine(Int64(entry.applied))
        }
        for line in bill.lines { fingerprint.combine(line.cost.nanodollars) }
        var ttft = LatencyHistogram()
        var tpot = LatencyHistogram()
        for sloClass in run.tally.sloClasses {
            ttft.merge(sloClass.ttft)
            tpot.merge(sloClass.tpot)
        }
        return RunResult(
            scenario: scenario.name, policy: label, policyFile: file, seed: 0, replication: 0, plantFactor: 1,
            start: start, duration: end - start, stoppedAt: nil, planned: end - start,
            lastEnd: run.tally.lastChange - start, outcomes: run.tally.outcomes, tenants: run.tally.tenants,
            sloClasses: run.tally.sloClasses, promptTokens: run.tally.promptTokens,
            outputTokens: run.tally.outputTokens, ttft: ttft, itl: LatencyHistogram(), tpot: tpot, e2e: run.tally.e2e,
            queueWait: LatencyHistogram(), batches: run.tally.batches, preemptions: nil, pools: pools(run.usage),
            scaling: decisions.counts, decisions: decisions.entries, timeline: run.timeline, usage: run.usage,
            bill: bill, requestNanoseconds: run.tally.requestNanoseconds,
            sojournNanoseconds: run.tally.sojournNanoseconds, fingerprint: fingerprint.hexadecimal, checkpoints: [],
            record: record, warnings: warnings + ownWarnings() + run.warnings)
    }

    private func pools(_ usage: [UsageRecord]) -> [PoolResult] {
        scenario.pools.enumerated().map { index, pool in
            let own = usage.filter { $0.pool == pool.id }
            let held = own.reduce(TimeSpan.zero) { $0 + $1.busy + $1.idle + $1.starting + $1.draining }
            return PoolResult(
                id: pool.id, meanReplicas: held.seconds / (end - start).seconds, maxReplicas: levels.most[index],
                steps: nil, busy: own.reduce(.zero) { $0 + $1.busy })
        }
    }

    private func ownWarnings() -> [String] {
        var list: [String] = []
        let gap = levels.longestGap(until: end)
        if tickCount == 0 {
            list.append("the journal has no tick in this period: levels over time are not known")
        } else if gap.length > scenario.control.tick * 3 {
            list.append("no tick was written for \(gap.length), up to \(gap.end): levels in between are not known")
        }
        if withheld > 0 { list.append("in \(withheld) of \(tickCount) ticks the controller decided and did not act") }
        if cut > 0 {
            list.append(
                "\(cut) charge periods of machines reach beyond this period: their time in it is exact, and what it was used "
                    + "for is taken in proportion")
        }
        return list
    }
}

extension UsageRecord {
    /// The part in a period; `nil` for none of it.
    ///
    /// Each kind of time is rounded down; the nanoseconds that are lost count as slots without a replica.
    func cut(from start: Instant, to end: Instant) -> UsageRecord? {
        guard self.start < self.end else { return self.start >= start && self.start < end ? self : nil }
        let (from, to) = (max(self.start, start), min(self.end, end))
        guard from < to else { return nil }
        func part(_ span: TimeSpan) -> TimeSpan {
            let whole = Int128((self.end - self.start).nanoseconds)
            return TimeSpan(nanoseconds: Int64(Int128(span.nanoseconds) * Int128((to - from).nanoseconds) / whole))
        }
        var record = self
        (record.start, record.end) = (from, to)
        record.terminated = terminated && to == self.end
        (record.busy, record.idle, record.starting, record.draining) =
            (part(busy), part(idle), part(starting), part(draining))
        return record
    }

    fileprivate func countingNothing(tenants: Int) -> UsageRecord {
        let nothing = UsageTally(tenants: tenants)
        var record = self
        (record.promptTokens, record.outputTokens, record.requests) =
            (nothing.promptTokens, nothing.outputTokens, nothing.requests)
        return record
    }
}
