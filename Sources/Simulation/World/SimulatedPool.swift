import Collections
import Control
import EngineModel
import FleetModel
import Pricing
import Randomness
import Serving
import Units
import Workload

/// One pool of the simulated fleet with the traffic that its gateway receives: a world of its own between two looks of
/// the control loop, because pools share no router.
///
/// Replicas and machines keep their positions for life, so that a timer can name them.
struct SimulatedPool {
    let index: Int
    let configuration: PoolConfiguration
    let price: Price
    let steps: StepClock
    let noise: CounterStream
    /// By SLO class.
    let priorities: [Int]
    let timeouts: [TimeSpan?]
    let tenantCount: Int
    let scrapesKept: Int
    var traffic: ArrivalStream
    /// The next request; `nil` when the pool's traffic is over.
    var nextArrival: Arrival?
    var router: Router
    /// By position; `nil` where a replica has ended and none has taken its place.
    var replicas: [SimulatedReplica?] = []
    /// When each replica wants to be called next, by position.
    var timers = LeastKeyTree()
    /// Positions of living replicas, in order of their numbers; and of those that take requests.
    var alive: [Int] = []
    var ready: [Int] = []
    /// Requests at the gateway until a replica is ready and has room, and when the first of their clients gives up.
    var held = Deque<InFlight>()
    var heldDeadline = Instant.never
    var machines: MachineBook
    var replicasStarted = 0
    var target: Int
    var appliedGeneration = 0
    var reachedGeneration = 0

    var tally: RunTally
    /// What machines were used for, as their charge periods ended.
    var usage: [UsageRecord] = []
    /// Until the end of the bill.
    var areBooksOpen = true
    /// Every end and every change of phase, where a test asks for them: `nil` keeps nothing.
    var log: PoolLog?
    /// Outcomes told by an engine and not yet taken in.
    var ended: [Ended] = []
    /// Requests that ended since the world last looked, kept when somebody asked for them.
    var isHeard = false
    var heard: [EndedRequest] = []

    /// Requests that came in the last stretch that was played.
    private(set) var recentArrivals: Int64 = 0

    // What the gateway counts.
    var arrivedRequests: Int64 = 0
    var arrivedPromptTokens: Int64 = 0
    var rejectedRequests: Int64 = 0
    /// Tokens, steps and busy time of replicas that have ended.
    var endedTokens: Int64 = 0
    var endedSteps: Int64 = 0
    var endedBusy = TimeSpan.zero
    var endedPreemptions: Int64 = 0
    var endedPrefixCache = PrefixCacheCounts()

    /// ∫ replicas paid for dt, in replica-nanoseconds, up to `countedAt`.
    var replicaNanoseconds: Int128 = 0
    var countedAt: Instant
    var maxReplicas = 0
    /// Busy time of all replicas when the books were closed.
    var busyAtHorizon = TimeSpan.zero
    var row: TimelineRow
    /// Busy time and tokens when the row began.
    var rowBusy = TimeSpan.zero
    var rowTokens: Int64 = 0
    var reach = ValidRange(decodeSequences: 0, decodeContext: 0, prefillTokens: 0, prefillContext: 0)

    init(
        index: Int, configuration: PoolConfiguration, price: Price, scenario: Scenario, traffic: ArrivalStream,
        noise: CounterStream, rowSpan: TimeSpan
    ) {
        self.index = index
        self.configuration = configuration
        self.price = price
        self.noise = noise
        self.traffic = traffic
        priorities = scenario.sloClasses.map(\.priority)
        timeouts = scenario.sloClasses.map(\.timeout)
        tenantCount = scenario.tenants.count
        steps = StepClock(configuration.profile.stepTime)
        scrapesKept = scenario.control.scrapesKept
        router = Router(kind: configuration.router, maxWaiting: configuration.maxWaitingPerReplica)
        machines = MachineBook(
            pool: configuration.id, offering: configuration.offering, slots: configuration.replicasPerInstance,
            tenantCount: tenantCount)
        target = configuration.initialReplicas
        tally = RunTally(
            tenants: scenario.tenants, sloClasses: scenario.sloClasses, start: scenario.start,
            duration: scenario.duration)
        countedAt = scenario.start
        row = TimelineRow(time: scenario.start, span: rowSpan, pool: configuration.id)
        nextArrival = self.traffic.next()?.arrival
        for _ in 0..<configuration.initialReplicas { placeReadyReplica(at: scenario.start) }
    }

    var id: PoolID { configuration.id }

    /// When the next thing happens in the pool; `.never` when nothing will.
    var nextTime: Instant {
        min(nextArrival?.time ?? .never, Instant(nanoseconds: timers.leastKey), heldDeadline)
    }

    /// Plays everything up to and with `limit`. Of one nanosecond: arrivals first, then engines in order of their
    /// positions, then clients at the gateway.
    mutating func advance(through limit: Instant) {
        let before = arrivedRequests
        defer { recentArrivals = arrivedRequests - before }
        while true {
            let engine = Instant(nanoseconds: timers.leastKey)
            let next = min(engine, heldDeadline)
            if let arrival = nextArrival, arrival.time <= next {
                guard arrival.time <= limit else { return }
                receive(arrival)
                nextArrival = traffic.next()?.arrival
                continue
            }
            guard next <= limit, next != .never else { return }
            if engine == next {
                handleReplicaTimer(at: timers.first, now: engine)
            } else {
                expireHeld(at: heldDeadline)
            }
        }
    }

    /// Living replicas that are neither draining nor gone: the level that a target is compared with.
    var level: Int {
        alive.reduce(0) { $0 + (replicas[$1]!.isDraining ? 0 : 1) }
    }

    var phaseCounts: (starting: Int, ready: Int, draining: Int) {
        var counts = (starting: 0, ready: 0, draining: 0)
        for position in alive {
            switch replicas[position]!.lifecycle.phase {
            case .starting: counts.starting += 1
            case .ready: counts.ready += 1
            case .draining: counts.draining += 1
            case .terminated: break
            }
        }
        return counts
    }

    /// Replicas whose machine has been handed over: starting, ready or draining. One that is being provisioned is not on
    /// the bill.
    private var paidReplicas: Int {
        alive.reduce(0) { count, position in
            switch replicas[position]!.lifecycle.phase {
            case .starting(.provision, _), .terminated: count
            case .starting, .ready, .draining: count + 1
            }
        }
    }

    /// Adds the time since the last change to the mean number of replicas paid for. Called before that number changes.
    mutating func countReplicas(at now: Instant) {
        guard areBooksOpen, now > countedAt else { return }
        let paid = paidReplicas
        replicaNanoseconds += Int128((now - countedAt).nanoseconds) * Int128(paid)
        countedAt = now
        maxReplicas = max(maxReplicas, paid)
    }
}
