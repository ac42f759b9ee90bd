import FleetModel
import Units

/// Tells tenants who suddenly bring far more than they usually do, and keeps the excess out of what a pool is scaled by.
///
/// Counters of successive scrapes are cut into windows. A tenant's usual is the median of its last windows, its noise their
/// median absolute deviation: neither moves before half of the history has. Growth that takes the history to double is
/// therefore usual, and a step to forty times is not. A window is judged as soon as what came in it suffices.
///
///     watch.takeIn(counters, at: now)              // once a scrape
///     loop.ingest(watch.signal(of: sample, at: now))
///     watch.abuses                                 // for alarms and caps
public struct TenantWatch: Sendable {
    public let pool: PoolID
    public let rules: TenantWatchRules
    /// In order of their names.
    private var tenants: [TenantHistory] = []
    private var last: (counters: [TenantCounters], time: Instant)?

    public init(pool: PoolID, rules: TenantWatchRules) {
        self.pool = pool
        self.rules = rules
    }

    /// What must not be forgotten with the process: what each tenant usually brings, and who is abusive since when.
    public struct Memory: Hashable, Sendable, Codable {
        public var pool: PoolID
        var tenants: [TenantHistory.Memory]
    }

    public var memory: Memory { Memory(pool: pool, tenants: tenants.map(\.memory)) }

    /// Goes on where another watch of the pool stopped.
    public mutating func resume(_ memory: Memory) {
        tenants = memory.tenants.compactMap(TenantHistory.init).sorted { $0.tenant < $1.tenant }
        last = nil
    }

    /// Takes in one scrape of a gateway; ignored when it is not newer than the last, or holds what no counter can show.
    public mutating func takeIn(_ counters: [TenantCounters], at now: Instant) {
        if let last, now <= last.time { return }
        guard counters.allSatisfy({ own in (0..<4).allSatisfy { (0...largestLoad).contains(own.values[$0]) } })
        else {
            return
        }
        // Requests and tokens live in one process and fall together.
        if let last, Self.hasFallen(from: last.counters, to: counters) {
            for index in tenants.indices { tenants[index].restart(at: last.time) }
        }
        for own in counters {
            let index = tenants.firstIndex { $0.tenant >= own.tenant } ?? tenants.endIndex
            if index < tenants.endIndex, tenants[index].tenant == own.tenant {
                tenants[index].takeIn(own, at: now, rules: rules)
            } else {
                tenants.insert(TenantHistory(own, at: now), at: index)
            }
        }
        let told = Set(counters.map(\.tenant))
        for index in tenants.indices where !told.contains(tenants[index].tenant) {
            tenants[index].takeIn(nil, at: now, rules: rules)
        }
        last = (counters, now)
    }

    private static func hasFallen(from old: [TenantCounters], to new: [TenantCounters]) -> Bool {
        let known = Dictionary(old.map { ($0.tenant, $0.values) }) { first, _ in first }
        return new.contains { own in
            known[own.tenant].map { before in (0..<3).contains { own.values[$0] < before[$0] } } ?? false
        }
    }

    /// What scaling may know of a gateway's sample: without what was withheld since the gateway started.
    ///
    /// As long as the sample's counters rise, so do these: no more is withheld of a scrape than came in it.
    public func signal(of sample: GatewaySample, at now: Instant) -> GatewaySample {
        let withheld = tenants.reduce(SIMD4<Double>.zero) { $0 + $1.withheld }
        var signal = sample
        signal.arrivedRequests -= min(withheld[0], sample.arrivedRequests)
        signal.arrivedPromptTokens -= min(withheld[1], sample.arrivedPromptTokens)
        signal.streamedTokens -= min(withheld[2], sample.streamedTokens)
        let queued = abuses.count { $0.measure.isTraffic && now - $0.since < rules.hold }
        signal.excessTenants = queued > 0 ? queued : nil
        return signal
    }

    /// Who is far above its usual now, in order of their names.
    public var abuses: [TenantAbuse] {
        tenants.compactMap { tenant in
            tenant.abuse.map {
                TenantAbuse(
                    tenant: tenant.tenant, pool: pool, measure: $0.measure, usual: $0.usual, level: $0.level,
                    since: $0.since)
            }
        }
    }

    /// Prompt and output tokens a minute that a tenant usually has here; 0 when it has no usual.
    public func usualTokensPerMinute(of tenant: String) -> Double {
        tenants.first { $0.tenant == tenant }?.usualTokensPerMinute ?? 0
    }

    /// The tokens a minute that an abuser is to be held to; `nil` while it is too early to.
    ///
    /// - Parameter elsewhere: Tokens a minute that it usually has in other pools, which the cap is of too.
    public func cap(of abuse: TenantAbuse, at now: Instant, elsewhere: Double = 0) -> Int? {
        guard now - abuse.since >= rules.capAfter else { return nil }
        let usual = usualTokensPerMinute(of: abuse.tenant) + elsewhere
        return max(rules.leastCap, Int((rules.capFactor * usual).rounded(.up)))
    }
}
