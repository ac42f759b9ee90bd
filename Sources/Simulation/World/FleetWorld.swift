import Control
import Dispatch
import FleetModel
import Scaling
import Units
import Workload

/// The simulated world: pools with their traffic, and what looks at all of them together, in virtual time.
///
/// A value with one method that matters: `run`. Everything it does follows from the scenario, the policy and the seed.
struct FleetWorld {
    /// What happens to the whole fleet at once. Among those of one nanosecond, and after all that pools do in it, the one
    /// named first here comes first.
    enum Occasion: Int, CaseIterable {
        case scrape, control, timeline, chargePeriod, closeBooks
    }

    let scenario: Scenario
    let options: RunOptions
    let policyLabel: String
    let policyFile: PolicyFile
    let start: Instant
    /// The end of traffic and of the bill.
    var horizon: Instant
    /// When who watches stopped the run; `nil` for a whole one.
    private(set) var stoppedAt: Instant?
    var pools: [SimulatedPool] = []
    /// When each occasion comes next.
    var agenda = [Instant](repeating: .never, count: Occasion.allCases.count)
    var control: ControlLoop
    /// One per instance and charge period, an hour, because the bill has a line for each: some 300 bytes. A year of a
    /// hundred instances is 260 MB, and the one thing of a run that grows so.
    var usage: [UsageRecord] = []
    var decisions = DecisionTally()
    /// At most `Timeline.capacity`.
    var timeline: [TimelineRow] = []
    /// One an hour: a year is 9 kB of times and 560 kB of digits.
    var checkpoints: [Checkpoint] = []
    /// Hash of the decisions.
    var fingerprint = Fingerprint()
    let timelineInterval: TimeSpan

    // MARK: - Time

    /// Plays the whole run: all traffic, then what is still in flight.
    ///
    /// - Parameter progress: Called at each control tick; may stop the run.
    mutating func run(progress: ((RunProgress) -> Continuation)?) {
        options.tap.start?(control.policy, control.limits)
        while let now = agenda.min(), now != .never {
            advancePools(through: now)
            tellOfRequests()
            // What one occasion does to the pools may have consequences in the same nanosecond, before the next one.
            let occasion = Occasion.allCases.first { agenda[$0.rawValue] == now }!
            take(occasion, at: now)
            if let progress, occasion == .control,
                progress(RunProgress(simulated: now - start, requests: arrivedRequests)) == .stop
            {
                stop(at: now)
            }
        }
        advancePools(through: .never)
        for index in pools.indices { pools[index].giveUpHeld(at: horizon) }
        tellOfRequests()
    }

    /// Hands on what pools heard while they were played, in their order: threads may have played them in any.
    private mutating func tellOfRequests() {
        guard let tell = options.tap.requests else { return }
        for index in pools.indices {
            if !pools[index].heard.isEmpty { tell(pools[index].id, pools[index].heard) }
            pools[index].heard.removeAll(keepingCapacity: true)
        }
    }

    /// Plays the pools up to and with `limit`, side by side where there are threads: nothing of one reaches another.
    private mutating func advancePools(through limit: Instant) {
        let due = pools.indices.filter { pools[$0].nextTime <= limit }
        guard options.threads > 1, due.count > 1 else {
            for index in due { pools[index].advance(through: limit) }
            return
        }
        // The busiest first, so that the threads end together.
        let order = due.sorted { (pools[$0].recentArrivals, $1) > (pools[$1].recentArrivals, $0) }
        pools.withUnsafeMutableBufferPointer { pools in
            let shared = SharedPools(pools: pools)
            DispatchQueue.concurrentPerform(iterations: order.count) { shared.pools[order[$0]].advance(through: limit) }
        }
    }

    private mutating func take(_ occasion: Occasion, at now: Instant) {
        switch occasion {
        case .scrape:
            scrape(at: now)
            postpone(.scrape, to: now + scenario.control.scrape)
        case .control:
            decide(at: now)
            postpone(.control, to: now + scenario.control.tick)
        case .timeline:
            writeTimeline(at: now)
            postpone(.timeline, to: now + timelineInterval)
        case .chargePeriod:
            closeChargePeriods(at: now)
            postpone(.chargePeriod, to: now + .hours(1))
        case .closeBooks:
            writeTimeline(at: now)
            closeChargePeriods(at: now)
            for index in pools.indices { pools[index].closeBooks(at: now) }
            agenda[Occasion.closeBooks.rawValue] = .never
        }
    }

    /// Sets a periodic occasion, unless the run's end comes first: then `closeBooks` does its work.
    mutating func postpone(_ occasion: Occasion, to time: Instant) {
        agenda[occasion.rawValue] = time < horizon ? time : .never
    }

    /// Brings the end of traffic and of the bill forward to `now`.
    private mutating func stop(at now: Instant) {
        for occasion in Occasion.allCases { agenda[occasion.rawValue] = .never }
        for index in pools.indices { pools[index].nextArrival = nil }
        horizon = now
        stoppedAt = now
        take(.closeBooks, at: now)
    }

    // MARK: - Books

    private mutating func writeTimeline(at now: Instant) {
        for index in pools.indices {
            if let row = pools[index].takeTimelineRow(at: now) { timeline.append(row) }
        }
    }

    /// Closes the charge period of every node at `now` and opens the next one.
    private mutating func closeChargePeriods(at now: Instant) {
        for index in pools.indices {
            pools[index].closeChargePeriod(at: now)
            usage += pools[index].usage
            pools[index].usage.removeAll(keepingCapacity: true)
        }
        checkpoints.append(Checkpoint(time: now, fingerprint: wholeFingerprint.hexadecimal))
    }

    /// Hash of the decisions and of what happened in every pool.
    var wholeFingerprint: Fingerprint {
        var whole = fingerprint
        for pool in pools { whole.combine(pool.tally.fingerprint) }
        return whole
    }

    private var arrivedRequests: Int64 { pools.reduce(0) { $0 + $1.tally.outcomes.arrived } }
}

/// Lets each thread of a parallel loop have its own pool.
private struct SharedPools: @unchecked Sendable {
    let pools: UnsafeMutableBufferPointer<SimulatedPool>
}
