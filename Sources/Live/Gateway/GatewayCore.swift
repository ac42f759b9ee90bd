import FleetModel
import Formats
import NIOCore
import Store
import Synchronization
import Units

/// What the parts of a gateway share.
final class GatewayCore: Sendable {
    let configuration: GatewayConfiguration
    /// Names this start of the gateway, and begins the names of its requests.
    let boot: String
    let state: Mutex<GatewayState>
    let salts: CacheSalts
    let keys: TenantKeys
    let log: GatewayLog
    /// For who connects to the admin listener, and for replicas with an `https` URL.
    let tls: TLSMaterial?
    /// Where spans go; `nil` for nowhere.
    let spans: SpanExporter?
    private let poolsByModel: [String: Int]
    private let tenantsByName: [String: Int]
    private let classesByName: [String: Int]
    private let requests = Atomic<UInt64>(0)
    private let draining = Atomic(false)
    private let unauthorized = Atomic<UInt64>(0)
    private let invalid = Atomic<UInt64>(0)
    private let ledger: LedgerQueue
    private let loops: Mutex<[GatewayLoopHandle]>

    init(
        _ configuration: GatewayConfiguration, ledger store: UsageLedger, salts: CacheSalts, tls: TLSMaterial? = nil
    ) throws(StoreError) {
        self.configuration = configuration
        self.tls = tls
        spans = configuration.traces.map {
            SpanExporter(to: $0.collector, service: "tidegate-gateway", version: configuration.version)
        }
        self.salts = salts
        boot = hexadecimal(UInt64(WallTime.seconds), digits: 8) + hexadecimal(.random(in: 0 ... .max), digits: 8)
        keys = TenantKeys(configuration.tenants)
        log = GatewayLog(isOn: configuration.settings.log == .requests, sink: configuration.log)
        var pools: [String: Int] = [:]
        for (index, pool) in configuration.pools.enumerated() {
            for name in [pool.id.name] + pool.names.aliases { pools[name] = index }
        }
        poolsByModel = pools
        tenantsByName = Self.index(configuration.tenants.map(\.name))
        classesByName = Self.index(configuration.classes.map(\.name))
        let (now, wall) = (MonotonicTime.now, WallTime.now)
        let day = Self.day(of: wall)
        let start = Instant(nanoseconds: Int64(day) * 86_400_000_000_000)
        let spent = try store.spending(from: start, to: start + .hours(24))
        let initial = GatewayState(
            gates: configuration.pools.map { PoolGate($0, ejection: configuration.settings.ejection) },
            accounts: configuration.tenants.map {
                TenantAccount($0, spent: spent[$0.name] ?? .zero, day: day, at: now)
            })
        state = Mutex(initial)
        loops = Mutex([])
        ledger = LedgerQueue(store)
    }

    private static func index(_ names: [String]) -> [String: Int] {
        Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    static func day(of wall: Instant) -> Int { Int(wall.nanoseconds / 86_400_000_000_000) }

    /// A peer was not let in, or did not let us in.
    func refused(_ refusal: PeerRefusal, _ peer: SocketAddress?, by side: String) {
        log.event("refused peer", ["side": side, "peer": peer?.description, "reason": refusal.description])
    }

    func start(on loops: [GatewayLoopHandle]) {
        self.loops.withLock { $0 = loops }
        ledger.start(onDurable: { self.becameDurable($0) }, onProblem: { self.ledgerHas($0) })
        log.start()
        spans?.start()
    }

    /// Ends the ledger's thread when all that is known is written.
    func close() -> Int {
        defer { log.close() }
        return ledger.close()
    }

    // MARK: - Names

    func pool(model: String) -> Int? { poolsByModel[model] }
    func tenant(named name: String) -> Int? { tenantsByName[name] }
    func sloClass(named name: String) -> Int? { classesByName[name] }

    /// A name that no other request has, of this start or another.
    func newRequest() -> (number: UInt64, name: String) {
        let number = requests.wrappingAdd(1, ordering: .relaxed).newValue
        return (number, "req-\(boot)-\(hexadecimal(number, digits: 8))")
    }

    var isDraining: Bool {
        get { draining.load(ordering: .relaxed) }
        set { draining.store(newValue, ordering: .relaxed) }
    }

    /// Whether the spans of a trace that begins here are wanted.
    func samplesTrace() -> Bool { configuration.traces.map { Double.random(in: 0..<1) < $0.share } ?? false }

    func countUnauthorized() { unauthorized.wrappingAdd(1, ordering: .relaxed) }
    func countInvalid() { invalid.wrappingAdd(1, ordering: .relaxed) }
    var unauthorizedRequests: UInt64 { unauthorized.load(ordering: .relaxed) }
    var invalidRequests: UInt64 { invalid.load(ordering: .relaxed) }

    // MARK: - What loops do together

    var handles: [GatewayLoopHandle] { loops.withLock { $0 } }

    /// Sends requests that wait to replicas that have room.
    func dispatchHeld(_ pool: Int) {
        let sent = state.withLock { $0.gates[pool].dispatchHeld() }
        deliver(sent, of: pool)
    }

    /// A request has left its replica, which may have room for another now.
    func release(_ pool: Int, _ assignment: PoolGate.Assignment, as release: PoolGate.Release) {
        let now = MonotonicTime.now
        let sent = state.withLock { state in
            state.gates[pool].release(assignment.serial, as: release, at: now)
            return state.gates[pool].held.isEmpty ? [] : state.gates[pool].dispatchHeld()
        }
        deliver(sent, of: pool)
    }

    /// A request that tried a replica has its first byte.
    func answered(_ pool: Int, _ assignment: PoolGate.Assignment) {
        let sent = state.withLock { state in
            state.gates[pool].answered(assignment.serial)
            return state.gates[pool].dispatchHeld()
        }
        deliver(sent, of: pool)
    }

    /// Lets ejected replicas be tried whose time has come.
    func readmit(at now: Instant) {
        for pool in configuration.pools.indices {
            let sent = state.withLock { state in
                state.gates[pool].readmit(at: now) ? state.gates[pool].dispatchHeld() : []
            }
            deliver(sent, of: pool)
        }
    }

    private func deliver(_ sent: [(ticket: PoolGate.Ticket, assignment: PoolGate.Assignment)], of pool: Int) {
        guard !sent.isEmpty else { return }
        let handles = handles
        for (ticket, assignment) in sent {
            let handle = handles[ticket.loop]
            handle.eventLoop.execute { handle.loop.value.dispatch(ticket.number, to: assignment, of: pool) }
        }
    }

    var commitSeconds: PrometheusHistogram { ledger.commitSeconds }

    func record(_ row: UsageRow, loop: Int, exchange: UInt64) {
        ledger.append(.init(row: row, loop: loop, exchange: exchange))
    }

    private func becameDurable(_ entries: [LedgerQueue.Entry]) {
        for (index, handle) in handles.enumerated() {
            let numbers = entries.filter { $0.loop == index }.map(\.exchange)
            guard !numbers.isEmpty else { continue }
            handle.eventLoop.execute { handle.loop.value.becameDurable(numbers) }
        }
    }

    private func ledgerHas(_ problem: String?) {
        state.withLock { $0.ledgerProblem = problem }
        log.event(problem == nil ? "ledger works again" : "ledger fails", ["problem": problem])
    }
}

/// An event loop with what belongs to it.
struct GatewayLoopHandle: Sendable {
    let eventLoop: any EventLoop
    let loop: NIOLoopBound<GatewayLoop>
    let meter: GatewayMeter
}

func hexadecimal(_ value: UInt64, digits: Int) -> String {
    let text = String(value & (digits >= 16 ? .max : (1 << UInt64(4 * digits)) - 1), radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
