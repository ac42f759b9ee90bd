import Control
import FleetModel
import Pricing
import Randomness
import Scaling
import Statistics
import Units
import Workload

/// The simulated world: traffic, gateways, replicas, machines and the control loop, in virtual time.
///
/// A value with one method that matters: `run`. Everything it does follows from the scenario, the policy and the seed.
struct FleetWorld {
    /// What a timer belongs to.
    enum TimerOwner {
        case replica(pool: Int, position: Int)
        /// The earliest client at a gateway that gives up.
        case held(pool: Int)
        case chargePeriod
        case timeline
        case scrape
        case control
        case closeBooks
    }

    /// Among events of one nanosecond: arrivals first, then what engines did, then those who look at it.
    enum Rank {
        static let replica: UInt8 = 1
        static let held: UInt8 = 2
        static let scrape: UInt8 = 3
        static let control: UInt8 = 4
        static let timeline: UInt8 = 5
        static let chargePeriod: UInt8 = 6
        static let closeBooks: UInt8 = 7
    }

    let scenario: Scenario
    let options: RunOptions
    let policyLabel: String
    let policyFile: PolicyFile
    let start: Instant
    /// The end of traffic and of the bill.
    var horizon: Instant
    /// When who watches stopped the run; `nil` for a whole one.
    var stoppedAt: Instant?
    var traffic: ArrivalStream
    /// The pool of each source of traffic.
    let poolsOfSources: [Int]
    var pools: [SimulatedPool] = []
    var timers = TimerQueue()
    var owners: [TimerOwner] = []
    var tally: RunTally
    var control: ControlLoop
    var usage: [UsageRecord] = []
    var scaling = ScalingCounts()
    var decisions: [DecisionEntry] = []
    var timeline: [TimelineRow] = []
    var checkpoints: [Checkpoint] = []
    /// Outcomes told by an engine and not yet taken in.
    var ended: [Ended] = []
    var areBooksOpen = true
    let timelineInterval: TimeSpan

    // MARK: - Time

    /// Adds a source of events and tells what it belongs to.
    mutating func addTimer(_ owner: TimerOwner, rank: UInt8) -> TimerQueue.Source {
        let source = timers.addSource(rank: rank)
        precondition(source == owners.count, "one owner for each timer")
        owners.append(owner)
        return source
    }

    /// Plays the whole run: all traffic, then what is still in flight.
    ///
    /// - Parameter progress: Called at each control tick; may stop the run.
    mutating func run(progress: ((RunProgress) -> Continuation)?) {
        var next = traffic.next()
        while true {
            // Arrivals come before all else in their nanosecond.
            if let arrival = next, arrival.arrival.time <= timers.nextTime {
                receive(arrival)
                next = traffic.next()
                continue
            }
            guard timers.nextTime != .never else { break }
            let (source, now) = timers.pop()
            handle(owners[source], source: source, at: now)
            if let progress, case .control = owners[source],
                progress(RunProgress(simulated: now - start, requests: tally.outcomes.arrived)) == .stop
            {
                stop(at: now)
                next = nil
            }
        }
    }

    private mutating func handle(_ owner: TimerOwner, source: TimerQueue.Source, at now: Instant) {
        switch owner {
        case .replica(let pool, let position):
            handleReplicaTimer(pool: pool, position: position, at: now)
        case .held(let pool):
            expireHeld(of: pool, at: now)
        case .scrape:
            scrape(at: now)
            repeatTimer(source, at: now + scenario.control.scrape)
        case .control:
            decide(at: now)
            repeatTimer(source, at: now + scenario.control.tick)
        case .timeline:
            writeTimeline(at: now)
            repeatTimer(source, at: now + timelineInterval)
        case .chargePeriod:
            closeChargePeriods(at: now)
            repeatTimer(source, at: now + .hours(1))
        case .closeBooks:
            closeBooks(at: now)
        }
    }

    /// Sets a periodic timer again, unless the run's end comes first: then `closeBooks` does its work.
    private mutating func repeatTimer(_ source: TimerQueue.Source, at time: Instant) {
        timers.set(source, to: time < horizon ? time : .never)
    }

    /// Brings the end of traffic and of the bill forward to `now`.
    private mutating func stop(at now: Instant) {
        for (source, owner) in owners.enumerated() {
            switch owner {
            case .replica, .held: break
            case .scrape, .control, .timeline, .chargePeriod, .closeBooks: timers.set(source, to: .never)
            }
        }
        horizon = now
        stoppedAt = now
        closeBooks(at: now)
    }

    /// The end of traffic and of the bill. The fleet stays as it is for the requests still in flight.
    private mutating func closeBooks(at now: Instant) {
        writeTimeline(at: now)
        closeChargePeriods(at: now)
        for pool in pools.indices {
            pools[pool].countReplicas(at: now)
            pools[pool].busyAtHorizon = pools[pool].rowBusy
        }
        areBooksOpen = false
    }
}
