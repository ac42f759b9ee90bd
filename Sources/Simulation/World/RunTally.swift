import FleetModel
import Statistics
import Units

/// What a pool's part of a run adds up over its requests, and the hash of what happened to them.
struct RunTally {
    var outcomes = OutcomeCounts()
    var tenants: [TenantResult]
    var sloClasses: [SLOClassResult]
    var promptTokens: Int64 = 0
    var outputTokens: Int64 = 0
    var itl = LatencyHistogram()
    var e2e = LatencyHistogram()
    var queueWait = LatencyHistogram()
    var fingerprint = Fingerprint()
    var batches: RunBatches
    private let start: Instant

    // Little's law.
    private var inSystem: Int128 = 0
    private(set) var lastChange: Instant
    private(set) var requestNanoseconds: Int128 = 0
    private(set) var sojournNanoseconds: Int128 = 0

    init(tenants: [Tenant], sloClasses: [SLOClass], start: Instant, duration: TimeSpan) {
        self.tenants = tenants.map { TenantResult(name: $0.name) }
        self.sloClasses = sloClasses.map { SLOClassResult(sloClass: $0) }
        batches = RunBatches(duration: duration)
        self.start = start
        lastChange = start
    }

    mutating func arrive(_ arrival: Arrival) {
        integrate(to: arrival.time)
        inSystem += 1
        outcomes.arrived += 1
        batches.arrive(after: arrival.time - start)
        tenants[Int(arrival.tenant)].outcomes.arrived += 1
        sloClasses[Int(arrival.sloClass)].arrived += 1
    }

    /// Takes in a request's only outcome.
    ///
    /// - Returns: Whether it met every target of its class.
    mutating func end(_ ended: Ended) -> Bool {
        let request = ended.request
        return end(
            request.arrival, outcome: ended.outcome, at: ended.time, firstToken: request.firstToken,
            admitted: request.admitted)
    }

    /// The same of a request of either world.
    ///
    /// - Parameters:
    ///   - outcome: `nil` for an end that only the live world has.
    ///   - firstToken: `.never` when there was none, or nobody knows when; `admitted` likewise.
    mutating func end(
        _ arrival: Arrival, outcome: RequestOutcome?, at time: Instant, firstToken: Instant, admitted: Instant
    ) -> Bool {
        integrate(to: time)
        inSystem -= 1
        sojournNanoseconds += Int128((time - arrival.time).nanoseconds)
        outcomes.count(outcome)
        tenants[Int(arrival.tenant)].outcomes.count(outcome)
        fingerprint.combine(arrival.time.nanoseconds)
        fingerprint.combine(firstToken.nanoseconds)
        fingerprint.combine(time.nanoseconds)
        fingerprint.combine(Int64(outcome?.rawValue ?? .max) << 32 | Int64(arrival.tenant))
        guard outcome == .completed else { return false }
        if admitted != .never { queueWait.record(admitted - arrival.time) }
        return complete(arrival, at: time, firstToken: firstToken == .never ? nil : firstToken)
    }

    private mutating func complete(_ arrival: Arrival, at time: Instant, firstToken: Instant?) -> Bool {
        let tenant = Int(arrival.tenant)
        let sloClass = Int(arrival.sloClass)
        let sojourn = time - arrival.time
        let first = firstToken.map { $0 - arrival.time }
        e2e.record(sojourn)
        if let first { sloClasses[sloClass].ttft.record(first) }
        var perToken: TimeSpan?
        if let firstToken, arrival.outputTokens > 1 {
            let gaps = time - firstToken
            let mean = TimeSpan(nanoseconds: gaps.nanoseconds / Int64(arrival.outputTokens - 1))
            perToken = mean
            sloClasses[sloClass].tpot.record(mean)
        }
        promptTokens += Int64(arrival.promptTokens)
        outputTokens += Int64(arrival.outputTokens)
        tenants[tenant].promptTokens += Int64(arrival.promptTokens)
        tenants[tenant].outputTokens += Int64(arrival.outputTokens)
        let isMet = sloClasses[sloClass].sloClass.isMet(ttft: first, tpot: perToken, e2e: sojourn)
        if let first { batches.complete(arrivedAfter: arrival.time - start, ttft: first, isMet: isMet) }
        guard isMet else { return false }
        sloClasses[sloClass].met += 1
        tenants[tenant].met += 1
        return true
    }

    /// Adds another pool's part of the same run.
    mutating func merge(_ other: RunTally) {
        outcomes.add(other.outcomes)
        for index in tenants.indices { tenants[index].add(other.tenants[index]) }
        for index in sloClasses.indices { sloClasses[index].add(other.sloClasses[index]) }
        promptTokens += other.promptTokens
        outputTokens += other.outputTokens
        itl.merge(other.itl)
        e2e.merge(other.e2e)
        queueWait.merge(other.queueWait)
        batches.merge(other.batches)
        requestNanoseconds += other.requestNanoseconds
        sojournNanoseconds += other.sojournNanoseconds
        lastChange = max(lastChange, other.lastChange)
    }

    private mutating func integrate(to now: Instant) {
        requestNanoseconds += inSystem * Int128((now - lastChange).nanoseconds)
        lastChange = now
    }
}

extension OutcomeCounts {
    fileprivate mutating func add(_ other: OutcomeCounts) {
        arrived += other.arrived
        completed += other.completed
        rejectedQueueFull += other.rejectedQueueFull
        rejectedTooLong += other.rejectedTooLong
        failedTimeout += other.failedTimeout
        failedReplicaLost += other.failedReplicaLost
        failedOtherwise += other.failedOtherwise
        unfinished += other.unfinished
    }
}

extension TenantResult {
    fileprivate mutating func add(_ other: TenantResult) {
        outcomes.add(other.outcomes)
        promptTokens += other.promptTokens
        outputTokens += other.outputTokens
        met += other.met
    }
}

extension SLOClassResult {
    fileprivate mutating func add(_ other: SLOClassResult) {
        arrived += other.arrived
        met += other.met
        ttft.merge(other.ttft)
        tpot.merge(other.tpot)
    }
}

extension SLOClass {
    /// Whether a completed request kept every promise. A request of one token has no time per token to judge; one that was
    /// answered whole has no first token.
    func isMet(ttft: TimeSpan?, tpot: TimeSpan?, e2e: TimeSpan) -> Bool {
        if let limit = self.ttft, let ttft, ttft > limit { return false }
        if let limit = self.tpot, let tpot, tpot > limit { return false }
        if let limit = self.e2e, e2e > limit { return false }
        return true
    }
}
