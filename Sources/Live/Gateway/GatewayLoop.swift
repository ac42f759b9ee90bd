import NIOCore
import Units

/// What belongs to one event loop of a gateway: its clients, their requests, and connections to replicas.
final class GatewayLoop {
    private static let tickSpan = TimeAmount.milliseconds(20)

    let core: GatewayCore
    let index: Int
    let eventLoop: any EventLoop
    let meter: GatewayMeter
    private var clients: [ObjectIdentifier: ClientConnection] = [:]
    private var exchanges: [UInt64: Exchange] = [:]
    private var upstreams: [UpstreamKey: UpstreamPool] = [:]
    private var gaps: [TimeSpan] = []
    private var ticks = 0
    /// No request's deadline comes before it.
    private var nextDeadline = Instant.never
    private var hasEnded = false

    private struct UpstreamKey: Hashable {
        var pool: Int
        var serial: Int
    }

    init(_ core: GatewayCore, index: Int, eventLoop: any EventLoop, meter: GatewayMeter) {
        (self.core, self.index, self.eventLoop, self.meter) = (core, index, eventLoop, meter)
    }

    // MARK: - Who is here

    func opened(_ client: ClientConnection) {
        clients[ObjectIdentifier(client)] = client
        meter.update { $0.connections += 1 }
    }

    func closed(_ client: ClientConnection) {
        clients[ObjectIdentifier(client)] = nil
        meter.update { $0.connections -= 1 }
    }

    func add(_ exchange: Exchange) {
        exchanges[exchange.terms.number] = exchange
        nextDeadline = min(nextDeadline, exchange.terms.deadline)
    }

    func upstream(_ assignment: PoolGate.Assignment, pool: Int) -> UpstreamPool {
        let key = UpstreamKey(pool: pool, serial: assignment.serial)
        if let known = upstreams[key] { return known }
        let made = UpstreamPool(
            assignment, pool: pool, on: eventLoop, connectTimeout: core.configuration.settings.ejection.connect,
            meter: meter, tls: core.tls
        ) { [core] in core.refused($0, $1, by: "replica") }
        upstreams[key] = made
        return made
    }

    // MARK: - What others tell

    /// The gate has a replica for a request that waited.
    func dispatch(_ number: UInt64, to assignment: PoolGate.Assignment, of pool: Int) {
        guard let exchange = exchanges[number], case .held = exchange.phase else {
            // Given up while this was on its way.
            return core.release(pool, assignment, as: .abandoned)
        }
        exchange.dispatch(to: assignment, at: MonotonicTime.now)
    }

    func becameDurable(_ numbers: [UInt64]) {
        for number in numbers {
            guard let exchange = exchanges.removeValue(forKey: number) else { continue }
            exchange.becameDurable()
        }
        core.state.withLock { $0.open -= numbers.count }
    }

    // MARK: - Measuring

    func noteGap(_ span: TimeSpan) { gaps.append(span) }

    /// Takes in what one read has brought.
    func flushGaps(pool: Int, tenant: Int, tokens: Int) {
        meter.update { values in
            values.pools[pool].streamedTokens += UInt64(tokens)
            values.streamedTokens[tenant][pool] += UInt64(tokens)
            for gap in gaps { values.pools[pool].itl.observe(gap.seconds) }
        }
        gaps.removeAll(keepingCapacity: true)
    }

    // MARK: - Upkeep

    func startTicking() {
        eventLoop.assumeIsolated().scheduleTask(in: Self.tickSpan) {
            guard !self.hasEnded else { return }
            self.tick()
            self.startTicking()
        }
    }

    private func tick() {
        let now = MonotonicTime.now
        ticks += 1
        if core.configuration.settings.hedging != nil {
            for exchange in Array(exchanges.values) { exchange.hedgeIfSilent(at: now) }
        }
        if now >= nextDeadline { passDeadlines(at: now) }
        guard ticks % 5 == 0 else { return }
        if index == 0 { core.readmit(at: now) }
        // Thousands are looked at: seldom, so that pieces of streams do not wait for it.
        if ticks % 25 == 0 {
            for client in Array(clients.values) { client.checkPatience(at: now) }
            for exchange in Array(exchanges.values) { exchange.checkPatience(at: now) }
        }
        let stall = core.configuration.settings.ejection.stall
        for (key, upstream) in upstreams {
            upstream.tidy(at: now)
            if upstream.busy > 0, now - upstream.lastByte > stall {
                core.state.withLock { $0.gates[key.pool].stalled(key.serial, at: now) }
            }
            if upstream.isUnused { upstreams[key] = nil }
        }
    }

    private func passDeadlines(at now: Instant) {
        nextDeadline = .never
        for exchange in Array(exchanges.values) {
            if exchange.terms.deadline <= now {
                exchange.timeOut()
            } else {
                nextDeadline = min(nextDeadline, exchange.terms.deadline)
            }
        }
    }

    /// Ends all that is left.
    func end() {
        for exchange in Array(exchanges.values) { exchange.cut() }
    }

    func closeAll() {
        hasEnded = true
        for upstream in upstreams.values { upstream.closeAll() }
        for client in Array(clients.values) { client.close() }
    }

    /// Tells idle connections that no more is taken here.
    func closeIdle() { for client in Array(clients.values) { client.closeIfIdle() } }
}
