import Collections
import EngineModel
import FleetModel
import Pricing
import Randomness
import Serving
import Units

/// One pool of the simulated fleet. Replicas and nodes keep their positions for life, so that a timer can name them.
struct SimulatedPool {
    let configuration: PoolConfiguration
    let price: Price
    let steps: StepClock
    let noise: CounterStream
    var router: Router
    /// By position; `nil` where a replica has ended and none has taken its place.
    var replicas: [SimulatedReplica?] = []
    /// What the router sees of each, by position.
    var load: [RouteCandidate] = []
    /// Timer sources by position.
    var timers: [TimerQueue.Source] = []
    /// Positions of living replicas, in order of their numbers; and of those that take requests.
    var alive: [Int] = []
    var ready: [Int] = []
    /// Requests at the gateway while no replica is ready.
    var held = Deque<InFlight>()
    var heldTimer: TimerQueue.Source
    var nodes: [SimulatedNode?] = []
    var replicasStarted = 0
    var nodesStarted = 0
    var target: Int
    var appliedGeneration = 0
    var reachedGeneration = 0

    // What the gateway counts.
    var arrivedRequests: Int64 = 0
    var arrivedPromptTokens: Int64 = 0
    var rejectedRequests: Int64 = 0
    /// Tokens, steps and busy time of replicas that have ended.
    var endedTokens: Int64 = 0
    var endedSteps: Int64 = 0
    var endedBusy = TimeSpan.zero
    var endedPreemptions: Int64 = 0

    /// ∫ living replicas dt, in replica-nanoseconds, up to `countedAt`.
    var replicaNanoseconds: Int128 = 0
    var countedAt: Instant
    var maxReplicas = 0
    /// Busy time of all replicas when the books were closed.
    var busyAtHorizon = TimeSpan.zero
    var row: TimelineRow
    /// Busy time and tokens when the row began.
    var rowBusy = TimeSpan.zero
    var rowTokens: Int64 = 0
    var lastChange: (time: Instant, up: Bool)?
    var reach = ValidRange(decodeSequences: 0, decodeContext: 0, prefillTokens: 0, prefillContext: 0)

    init(
        configuration: PoolConfiguration, price: Price, noise: CounterStream, heldTimer: TimerQueue.Source,
        start: Instant, rowSpan: TimeSpan
    ) {
        self.configuration = configuration
        self.price = price
        self.noise = noise
        self.heldTimer = heldTimer
        steps = StepClock(configuration.profile.stepTime)
        router = Router(kind: configuration.router, maxWaiting: configuration.maxWaitingPerReplica)
        target = configuration.initialReplicas
        countedAt = start
        row = TimelineRow(time: start, span: rowSpan, pool: configuration.id)
    }

    var id: PoolID { configuration.id }

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

    /// Adds the time since the last change to the mean number of replicas. Called before that number changes.
    mutating func countReplicas(at now: Instant) {
        replicaNanoseconds += Int128((now - countedAt).nanoseconds) * Int128(alive.count)
        countedAt = now
        maxReplicas = max(maxReplicas, alive.count)
    }
}
