import Control
import FleetModel
import Serving
import Units

/// One replica of the simulated fleet: its life, its engine and the node it stands on.
///
/// A reference, so that a pool of them is never copied, and owned by its pool alone.
final class SimulatedReplica {
    let id: ReplicaID
    let node: Int
    var lifecycle: ReplicaLifecycle
    var engine: SimulatedEngine
    /// Its place among the router's candidates; `nil` while it takes no requests.
    var route: Int?
    /// Up to when its time has been charged to the node's tally, and the engine's busy time then.
    private var meteredAt: Instant
    private var meteredBusy = TimeSpan.zero
    private var ttftReadings: BucketReadings
    private var itlReadings: BucketReadings

    /// - Parameter scrapesKept: Samples of it that the control loop holds at a time.
    init(
        id: ReplicaID, node: Int, lifecycle: ReplicaLifecycle, engine: SimulatedEngine, scrapesKept: Int,
        at now: Instant
    ) {
        self.id = id
        self.node = node
        self.lifecycle = lifecycle
        self.engine = engine
        meteredAt = now
        ttftReadings = BucketReadings(of: .ttft, kept: scrapesKept)
        itlReadings = BucketReadings(of: .itl, kept: scrapesKept)
    }

    /// What the router sees of it.
    var load: RouteCandidate { RouteCandidate(outstanding: engine.outstanding, waiting: engine.waiting) }

    /// The next thing that its engine or its life waits for.
    var nextEvent: Instant { min(engine.nextEvent, lifecycle.nextTimer ?? .never) }

    /// Whether its life has something to do beside serving. A replica that takes requests waits for nothing.
    var needsAttention: Bool { route == nil }

    var isReady: Bool {
        if case .ready = lifecycle.phase { true } else { false }
    }

    var isDraining: Bool {
        if case .draining = lifecycle.phase { true } else { false }
    }

    /// Adds the time since the last call to the tally, under the phase that has held since. Called at every change of
    /// phase and at the end of every charge period.
    func meter(into tally: inout UsageTally, at now: Instant) {
        let span = now - meteredAt
        let busy = engine.busy(at: now)
        let steps = busy - meteredBusy
        meteredAt = now
        meteredBusy = busy
        tally.charge(span, steps: steps, in: lifecycle.phase)
    }

    /// What a scrape reads, under vLLM's meanings.
    func sample(of pool: PoolID, at time: Instant) -> ReplicaSample {
        let cache = engine.prefixCache
        return ReplicaSample(
            pool: pool, replica: id, time: time, runningSequences: Double(engine.batcher.runningCount),
            waitingRequests: Double(engine.waiting), kvUtilization: engine.batcher.kvUtilization,
            promptTokens: Double(engine.counters.promptTokens),
            generationTokens: Double(engine.counters.generatedTokens),
            completedRequests: Double(engine.counters.completed), preemptions: Double(engine.counters.preemptions),
            ttft: ttftReadings.read(engine.counters.ttft), itl: itlReadings.read(engine.counters.itl),
            prefixCacheQueries: cache.map { Double($0.queries) }, prefixCacheHits: cache.map { Double($0.hits) })
    }
}
