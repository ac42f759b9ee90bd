import FleetModel
import Units

/// What is known of one pool: its status, its gateway's counters and its replicas.
struct PoolHistory {
    let pool: ObservedPool
    private var status: PoolStatus?
    private var gateway = CounterHistory()
    private var held: ReplicaHistory.Reading?
    /// In order of replica numbers.
    private var replicas: [ReplicaHistory] = []

    init(pool: ObservedPool) { self.pool = pool }

    mutating func takeIn(_ new: PoolStatus) {
        if let status, new.time <= status.time { return }
        guard new.starting >= 0, new.draining >= 0, new.target >= 0 else { return }
        status = new
    }

    mutating func takeIn(_ sample: GatewaySample, window: TimeSpan) {
        if let latest = gateway.latest, sample.time <= latest { return }
        let counters = [sample.arrivedRequests, sample.arrivedPromptTokens, sample.streamedTokens]
        guard counters.allSatisfy(\.isUsable) else { return }
        gateway.add(counters, at: sample.time, window: window)
        if sample.heldRequests.isUsable {
            held = ReplicaHistory.Reading(value: sample.heldRequests, time: sample.time)
        }
    }

    mutating func takeIn(_ sample: ReplicaSample, window: TimeSpan) {
        let index = index(of: sample.replica)
        if index == replicas.count || replicas[index].replica != sample.replica {
            replicas.insert(ReplicaHistory(first: sample), at: index)
        }
        replicas[index].takeIn(sample, window: window)
    }

    /// Where `replica` is, or where it would be inserted.
    private func index(of replica: ReplicaID) -> Int {
        var low = 0
        var high = replicas.count
        while low < high {
            let middle = (low + high) / 2
            if replicas[middle].replica < replica { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The pool as a policy may see it; `nil` before its first status, when not even its size is known.
    mutating func observation(at now: Instant, window: TimeSpan, staleness: TimeSpan) -> PoolObservation? {
        // A replica that has gone leaves with its last sample.
        replicas.removeAll { now - $0.latest > max(window, staleness) }
        guard let status else { return nil }

        var observed = PoolObservation(
            pool: pool.id, ready: status.readyReplicas.count, starting: status.starting, draining: status.draining,
            target: status.target, bounds: pool.bounds, appliedGeneration: status.appliedGeneration,
            reachedGeneration: status.reachedGeneration, offerings: status.offerings)
        var oldest = status.time
        var running = 0.0
        var waiting = 0.0
        var kvSum = 0.0
        var kvCount = 0
        var reporting = 0
        for id in status.readyReplicas {
            let index = index(of: id)
            guard index < replicas.count, replicas[index].replica == id else { continue }
            let replica = replicas[index]
            guard let runs = replica.running?.fresh(at: now, staleness: staleness),
                let waits = replica.waiting?.fresh(at: now, staleness: staleness)
            else { continue }
            reporting += 1
            running += runs
            waiting += waits
            oldest = min(oldest, replica.running?.time ?? oldest, replica.waiting?.time ?? oldest)
            if let used = replica.kvUtilization?.fresh(at: now, staleness: staleness) {
                kvSum += used
                kvCount += 1
            }
        }
        observed.missingReplicas = status.readyReplicas.count - reporting
        if reporting > 0 {
            observed.runningSequences = running
            observed.queueDepth = waiting
        }
        if kvCount > 0 { observed.kvUtilization = kvSum / Double(kvCount) }
        if let held, let fresh = held.fresh(at: now, staleness: staleness) {
            oldest = min(oldest, held.time)
            // With replicas that all keep silent, what the gateway holds is not the queue.
            if reporting > 0 || status.readyReplicas.isEmpty { observed.queueDepth = waiting + fresh }
        }
        observed.offered = offered(at: now, window: window, staleness: staleness)
        observed.ttft = quantiles(\.ttft, at: now, staleness: staleness)
        observed.itl = quantiles(\.itl, at: now, staleness: staleness)
        observed.sampleAge = max(.zero, now - oldest)
        return observed
    }

    private func offered(at now: Instant, window: TimeSpan, staleness: TimeSpan) -> OfferedTraffic? {
        guard let (base, latest) = gateway.ends, now - latest.time <= staleness else { return nil }
        let span = latest.time - base.time
        guard span >= window else { return nil }
        return OfferedTraffic(
            window: span, requests: latest.values[0] - base.values[0],
            promptTokens: latest.values[1] - base.values[1], outputTokens: latest.values[2] - base.values[2])
    }

    /// Over all replicas with a fresh sample, draining ones included: their requests waited too.
    private func quantiles(
        _ histogram: KeyPath<ReplicaHistory, ReplicaHistory.Histogram>, at now: Instant, staleness: TimeSpan
    ) -> LatencyQuantiles? {
        var sum: HistogramDelta?
        for replica in replicas {
            let own = replica[keyPath: histogram]
            guard let (base, latest) = own.history.ends, now - latest.time <= staleness else { continue }
            if sum == nil { sum = HistogramDelta(upperBounds: own.upperBounds) }
            // Replicas of one pool run one engine; other buckets cannot be added up.
            guard sum?.upperBounds == own.upperBounds else { continue }
            sum?.add(from: base.values, to: latest.values)
        }
        return sum?.quantiles
    }
}
