import FleetModel
import Units

/// A pool that a control loop looks after.
public struct ObservedPool: Hashable, Sendable, Codable {
    public var id: PoolID
    public var bounds: ReplicaBounds

    public init(id: PoolID, bounds: ReplicaBounds) {
        self.id = id
        self.bounds = bounds
    }
}

/// Turns samples into observations: the only way from metrics to a policy, in both worlds.
///
/// Feed it samples in any order; ask it once per tick. It differs from a plain reading of the last scrape in this:
/// - rates and latency quantiles are of increases over `window`, with counter resets taken out;
/// - a value older than `staleness` is not used, and a ready replica without fresh running and waiting counts is
///   missing;
/// - a sample that is not newer than its replica's last, that has a value which is negative, infinite or not a number, or
///   that lacks one which the replica used to give, is refused whole: what was known stays, and ages;
/// - a replica or gateway whose last scrape failed or was refused, whose counters have fallen within the window, because it
///   has started again, or that runs sequences without a token more for as long as the staleness, is counted as doubtful;
/// - a pool is left out until its first status, because its size is then unknown.
///
/// Memory is bounded: per replica the samples of one window, and nothing of replicas that have been silent for longer.
/// A tick costs O(replicas × buckets).
public struct Observer: Sendable {
    public let window: TimeSpan
    public let staleness: TimeSpan
    /// In the order of the scenario, which is that of every observation.
    private var pools: [PoolHistory]

    /// - Parameters:
    ///   - window: The span of rates and quantiles. Positive.
    ///   - staleness: The age above which a sample is not used. Positive; at least two scrape intervals, so that one
    ///     lost scrape blinds nobody.
    public init(pools: [ObservedPool], window: TimeSpan, staleness: TimeSpan) {
        precondition(window > .zero && staleness > .zero, "window \(window), staleness \(staleness)")
        self.pools = pools.map(PoolHistory.init)
        self.window = window
        self.staleness = staleness
    }

    /// Takes in a replica's scrape; ignored for a pool that is not observed.
    public mutating func ingest(_ sample: ReplicaSample) {
        guard let index = index(of: sample.pool) else { return }
        pools[index].takeIn(sample, window: window)
    }

    /// Takes in a gateway's scrape; ignored for a pool that is not observed.
    public mutating func ingest(_ sample: GatewaySample) {
        guard let index = index(of: sample.pool) else { return }
        pools[index].takeIn(sample, window: window)
    }

    /// Takes in that a scrape brought nothing; ignored for a pool that is not observed.
    public mutating func ingest(_ failure: ScrapeFailure) {
        guard let index = index(of: failure.pool) else { return }
        pools[index].takeIn(failure)
    }

    /// Takes in what the actuator knows; ignored for a pool that is not observed.
    public mutating func ingest(_ status: PoolStatus) {
        guard let index = index(of: status.pool) else { return }
        pools[index].takeIn(status)
    }

    /// All that is known at `now`, and nothing that is too old.
    public mutating func observation(at now: Instant) -> FleetObservation {
        var observed: [PoolObservation] = []
        observed.reserveCapacity(pools.count)
        for index in pools.indices {
            if let pool = pools[index].observation(at: now, window: window, staleness: staleness) {
                observed.append(pool)
            }
        }
        return FleetObservation(time: now, pools: observed)
    }

    private func index(of pool: PoolID) -> Int? { pools.firstIndex { $0.pool.id == pool } }
}
