import FleetModel
import Formats
import Serving
import Simulation
import Units

/// All that a gateway is told before it starts.
public struct GatewayConfiguration: Sendable {
    /// A pool as the gateway knows it.
    public struct Pool: Sendable {
        public var id: PoolID
        public var router: RouterKind
        /// A replica with this many waiting takes no more; while none is ready, the gateway holds as many.
        public var maxWaitingPerReplica: Int
        /// Requests that a replica's engine runs at a time: what it has beyond that waits.
        public var maxSequences: Int
        /// Tokens of prompt and answer together.
        public var maxContext: Int
        public var price: TokenPrice
        public var names: ModelNames

        public init(
            id: PoolID, router: RouterKind = .leastOutstanding, maxWaitingPerReplica: Int = 1000,
            maxSequences: Int = 256, maxContext: Int, price: TokenPrice = .free, names: ModelNames = ModelNames()
        ) {
            self.id = id
            self.router = router
            self.maxWaitingPerReplica = maxWaitingPerReplica
            self.maxSequences = maxSequences
            self.maxContext = maxContext
            self.price = price
            self.names = names
        }
    }

    public var settings: GatewaySettings
    public var pools: [Pool]
    /// The first is the default.
    public var classes: [SLOClass]
    public var tenants: [TenantTerms]
    /// Without any, whoever reaches the admin listener may do everything.
    public var adminTokens: [AdminToken] = []
    /// The folder of `registry.json`, `ledger.sqlite` and the salt; made when missing.
    public var stateFolder: String
    /// Where lines of the log go, many at a time; standard error by default.
    public var log: @Sendable ([UInt8]) -> Void = GatewayLog.toStandardError
    public var version = "0"
    /// `nil` exports no spans.
    public var traces: TraceExport?

    public init(
        settings: GatewaySettings = GatewaySettings(), pools: [Pool], classes: [SLOClass], tenants: [TenantTerms],
        stateFolder: String
    ) {
        self.settings = settings
        self.pools = pools
        self.classes = classes
        self.tenants = tenants
        self.stateFolder = stateFolder
    }

    /// What a scenario says of it: pools, SLO classes and tenants.
    ///
    /// - Parameters:
    ///   - tenants: Terms by name; a tenant of the scenario without terms has no limits and no key.
    ///   - prices: By pool; a pool without is free.
    public init(
        scenario: Scenario, settings: GatewaySettings = GatewaySettings(), tenants: [TenantTerms] = [],
        prices: [PoolID: TokenPrice] = [:], stateFolder: String
    ) {
        let pools = scenario.pools.map { pool in
            Pool(
                id: pool.id, router: pool.router, maxWaitingPerReplica: pool.maxWaitingPerReplica,
                maxSequences: pool.batcher.maxSequences, maxContext: pool.batcher.maxContext,
                price: prices[pool.id] ?? .free, names: settings.models[pool.id] ?? ModelNames())
        }
        let named = Set(tenants.map(\.name))
        let others = scenario.tenants.filter { !named.contains($0.name) }.map { TenantTerms(name: $0.name) }
        self.init(
            settings: settings, pools: pools, classes: scenario.sloClasses, tenants: tenants + others,
            stateFolder: stateFolder)
    }

    /// What a live configuration says of it.
    public init(_ live: LiveConfiguration) {
        self.init(
            scenario: live.scenario, settings: live.gateway, tenants: live.tenants, prices: live.tokenPrices,
            stateFolder: live.stateFolder)
        adminTokens = live.adminTokens
        traces = live.traces.flatMap(TraceExport.init)
    }
}
