import FleetModel
import Units

/// What is known of one pool: its status, its gateway's counters and its replicas.
struct PoolHistory {
    let pool: ObservedPool
    private var status: PoolStatus?
    private var gateway = CounterHistory()
    /// What the gateway's last sample held.
    private var held: (requests: Double, excessTenants: Int?, time: Instant)?
    private var gatewayDoubt = Doubt()
    /// In order of replica numbers.
    private var replicas: [ReplicaHistory] = []

    init(pool: ObservedPool) { self.pool = pool }

    mutating func takeIn(_ new: PoolStatus) {
        if let status, new.time <= status.time { return }
        let counts = [new.starting, new.draining, new.target, new.appliedGeneration, new.reachedGeneration]
        guard counts.allSatisfy(wholeCounts.contains) else { return }
        status = new
    }

    mutating func takeIn(_ sample: GatewaySample, window: TimeSpan) {
        if let latest = gateway.latest, sample.time <= latest { return }
        guard sample.isPossible else {
            gatewayDoubt.failed = sample.time
            return
        }
        let counters = [sample.arrivedRequests, sample.arrivedPromptTokens, sample.streamedTokens]
        if gateway.add(counters, at: sample.time, window: window) { gatewayDoubt.restarted = sample.time }
        held = (sample.heldRequests, sample.excessTenants, sample.time)
    }

    mutating func takeIn(_ sample: ReplicaSample, window: TimeSpan) {
        replicas[place(of: sample.replica)].takeIn(sample, window: window)
    }

    mutating func takeIn(_ failure: ScrapeFailure) {
        if let replica = failure.replica {
            replicas[place(of: replica)].noteFailure(at: failure.time)
        } else {
            gatewayDoubt.failed = failure.time
        }
    }

    /// Where `replica` is, from now on.
    private mutating func place(of replica: ReplicaID) -> Int {
        let index = index(of: replica)
        if index == replicas.count || replicas[index].replica != replica {
            replicas.insert(ReplicaHistory(replica), at: index)
        }
        return index
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
        forget(at: now, after: max(window, staleness))
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
            if replicas[index].isDoubtful(at: now, window: window, staleness: staleness) { observed.doubtful += 1 }
            guard let sample = replicas[index].latest, now - sample.time <= staleness,
                let runs = sample.runningSequences, let waits = sample.waitingRequests
            else { continue }
            reporting += 1
            running += runs
            waiting += waits
            oldest = min(oldest, sample.time)
            if let used = sample.kvUtilization {
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
        if let held, now - held.time <= staleness {
            oldest = min(oldest, held.time)
            observed.excessTenants = held.excessTenants
            // With replicas that all keep silent, what the gateway holds is not the queue.
            if reporting > 0 || status.readyReplicas.isEmpty { observed.queueDepth = waiting + held.requests }
        }
        if gatewayDoubt.isCast(at: now, window: window, staleness: staleness, latest: gateway.latest) {
            observed.doubtful += 1
        }
        observed.offered = offered(at: now, window: window, staleness: staleness)
        observed.ttft = quantiles(\.ttft, at: now, staleness: staleness)
        observed.itl = quantiles(\.itl, at: now, staleness: staleness)
        observed.sampleAge = max(.zero, now - oldest)
        return observed
    }

    /// A replica that has gone leaves with its last sample; one that should report is remembered as it was.
    private mutating func forget(at now: Instant, after span: TimeSpan) {
        let ready = status?.readyReplicas ?? []
        replicas.removeAll { replica in
            let isSilent = replica.latest.map { now - $0.time > span } ?? true
            return isSilent && !ready.contains(replica.replica)
        }
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
