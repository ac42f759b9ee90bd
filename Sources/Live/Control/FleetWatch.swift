import Control
import EngineModel
import FleetModel
import Formats
import Scaling
import Units

/// What a controller looks out for beside its decisions: tenants' abuse and the other alarms. A value without a clock.
struct FleetWatch: Sendable {
    /// One for each pool; none when tenants are not watched.
    private(set) var tenants: [TenantWatch]
    private let pools: [PoolID]
    private let limits: AlarmLimits
    private let ceiling: USDPerHour?
    /// By pool; `nil` where a pool's steps are not known.
    private let stepTimes: [StepTimeCoefficients?]
    /// By pool: the last ticks, oldest first; replicas that start, since when; and the last that became ready.
    private var recent: [[PoolObservation]]
    private var starting: [[ReplicaID: Instant]]
    private var lastStart: [(replica: ReplicaID, took: TimeSpan)?]
    private var expectedStart: [TimeSpan]
    /// The caps that this controller has set, by tenant, in tokens a minute.
    var caps: [String: Int] = [:]

    /// What begins the reason of a cap that a controller has set.
    static let capReason = "abuse: "

    init(
        _ pools: [PoolID], rules: TenantWatchRules?, limits: AlarmLimits, ceiling: USDPerHour?,
        stepTimes: [PoolID: StepTimeCoefficients]
    ) {
        tenants = rules.map { rules in pools.map { TenantWatch(pool: $0, rules: rules) } } ?? []
        self.pools = pools
        self.limits = limits
        self.ceiling = ceiling
        self.stepTimes = pools.map { stepTimes[$0] }
        recent = Array(repeating: [], count: pools.count)
        starting = Array(repeating: [:], count: pools.count)
        lastStart = Array(repeating: nil, count: pools.count)
        expectedStart = Array(repeating: .zero, count: pools.count)
    }

    /// What is known of the tenants of each pool, for the next controller.
    var memory: [TenantWatch.Memory] { tenants.map(\.memory) }

    /// Goes on with what an earlier controller knew.
    mutating func resume(_ memories: [TenantWatch.Memory]) {
        for memory in memories {
            guard let pool = tenants.firstIndex(where: { $0.pool == memory.pool }) else { continue }
            tenants[pool].resume(memory)
        }
    }

    /// Takes in a gateway's page.
    ///
    /// - Returns: The sample that scaling may see.
    mutating func signal(of sample: GatewaySample, on page: MetricsPage, pool: Int, at now: Instant) -> GatewaySample {
        guard tenants.indices.contains(pool) else { return sample }
        tenants[pool].takeIn(TenantCounters.all(on: page, pool: sample.pool), at: now)
        return tenants[pool].signal(of: sample, at: now)
    }

    mutating func see(_ observation: FleetObservation) {
        for seen in observation.pools {
            guard let pool = pools.firstIndex(of: seen.pool) else { continue }
            recent[pool].append(seen)
            if recent[pool].count > limits.growingTicks + 1 { recent[pool].removeFirst() }
        }
    }

    mutating func see(_ status: ActuatorStatus, of pool: Int, at now: Instant) {
        expectedStart[pool] = status.pool.offerings.first?.expectedColdStart ?? .zero
        let endpoints = status.endpoints
        for endpoint in endpoints {
            switch endpoint.phase {
            case .starting: if starting[pool][endpoint.id] == nil { starting[pool][endpoint.id] = now }
            case .ready:
                if let since = starting[pool].removeValue(forKey: endpoint.id) {
                    lastStart[pool] = (endpoint.id, now - since)
                }
            case .draining: starting[pool][endpoint.id] = nil
            }
        }
        // One that went before it was ready never became so.
        starting[pool] = starting[pool].filter { start in endpoints.contains { $0.id == start.key } }
    }

    // MARK: - Alarms

    var abuses: [TenantAbuse] { tenants.flatMap(\.abuses) }

    /// - Parameter costPerHour: Of all machines held; `nil` when a price is unknown.
    func alarms(at now: Instant, costPerHour: USD?) -> [Alarm] {
        var alarms = abuses.map { abuse in
            let done = caps[abuse.tenant].map { "held to \($0) tokens a minute" } ?? "not capped so far"
            let left = abuse.measure.isTraffic ? "its excess is left out of scaling" : "scaling does not feel it"
            return Alarm(
                .tenantAbuse, pool: abuse.pool, tenant: abuse.tenant,
                "\(abuse.summary), since \(abuse.since); \(left); \(done)")
        }
        if let alarm = AlarmRules.spendBurn(
            costPerHour: costPerHour, dailyBudget: limits.dailyBudget, ceiling: ceiling)
        {
            alarms.append(alarm)
        }
        for (index, pool) in pools.enumerated() {
            if let alarm = coldStartDrift(index, at: now) { alarms.append(alarm) }
            if let alarm = AlarmRules.queueDivergence(recent[index], ticks: limits.growingTicks) {
                alarms.append(alarm)
            }
            if let stepTime = stepTimes[index], let seen = recent[index].last, seen.pool == pool,
                let alarm = AlarmRules.latencyDrift(seen, stepTime: stepTime, factor: limits.latencyFactor)
            {
                alarms.append(alarm)
            }
        }
        return alarms
    }

    /// Of the replica that has been starting for longest, or else of the last that became ready.
    private func coldStartDrift(_ pool: Int, at now: Instant) -> Alarm? {
        func alarm(_ replica: ReplicaID, _ took: TimeSpan, isReady: Bool) -> Alarm? {
            AlarmRules.coldStartDrift(
                pools[pool], replica: replica, took: took, expected: expectedStart[pool], isReady: isReady,
                share: limits.coldStartShare)
        }
        let longest = starting[pool].min { ($0.value, $0.key) < ($1.value, $1.key) }
        if let longest, let late = alarm(longest.key, now - longest.value, isReady: false) { return late }
        return lastStart[pool].flatMap { alarm($0.replica, $0.took, isReady: true) }
    }

    // MARK: - Caps

    /// What the gateway is to be told: caps for those who have been abusive for long enough, and the end of the caps of
    /// those who are no more. A cap that an operator has set stays.
    ///
    /// - Parameter known: The caps in force at the gateway.
    func orders(known: [String: GatewayClient.Cap], at now: Instant) -> [(tenant: String, cap: GatewayClient.Cap)] {
        var orders: [(tenant: String, cap: GatewayClient.Cap)] = []
        let abuses = abuses
        for (tenant, cap) in known.sorted(by: { $0.key < $1.key })
        where cap.reason.hasPrefix(Self.capReason) && !abuses.contains(where: { $0.tenant == tenant }) {
            orders.append((tenant, .init(tokensPerMinute: nil, reason: Self.capReason + "over")))
        }
        for abuse in abuses where known[abuse.tenant] == nil && !orders.contains(where: { $0.tenant == abuse.tenant }) {
            guard let watch = tenants.first(where: { $0.pool == abuse.pool }) else { continue }
            let elsewhere = tenants.reduce(0) {
                $0 + ($1.pool == abuse.pool ? 0 : $1.usualTokensPerMinute(of: abuse.tenant))
            }
            guard let limit = watch.cap(of: abuse, at: now, elsewhere: elsewhere) else { continue }
            orders.append((abuse.tenant, .init(tokensPerMinute: limit, reason: Self.capReason + abuse.summary)))
        }
        return orders
    }
}
