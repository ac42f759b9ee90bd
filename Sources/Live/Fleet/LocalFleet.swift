import Control
import FleetModel
import Formats
import NIOPosix
import Scaling
import Simulation
import Units

/// A scenario as a working system on this machine: gateway, controller and pools of worker processes, on loopback.
///
///     let fleet = try LocalFleet(scenario, policy: policy, options: options, group: group)
///     try await fleet.run { running in … }      // ends the workers when the closure returns
public struct LocalFleet: Sendable {
    public struct Options: Sendable {
        public var executor = WorkerExecutor.emulated
        /// The executable of the live plane, which workers are started from.
        public var program: String
        /// Where journal, ledger, states and logs go.
        public var folder: String
        /// Where clients come; 0 for any free port.
        public var listen = ListenAddress(host: "127.0.0.1", port: 0)
        /// Where the controller's status page is; `nil` for nowhere.
        public var status: ListenAddress?
        /// Whether the controller acts.
        public var isActive = true
        /// Multiplies the step times that emulated workers take.
        public var stepFactor = 1.0
        /// What the journal says of who wrote it.
        public var origin: String
        public var version = "0"
        /// Whether the journal of a day is put aside when the day is over.
        public var hasDailyJournals = true
        /// When a tenant is taken for an abuser; `nil` watches nobody, as the simulator does.
        public var abuse: TenantWatchRules?
        /// Where gateway and workers send spans; `nil` for nowhere.
        public var traces: TraceExport?

        public init(program: String, folder: String, origin: String) {
            self.program = program
            self.folder = folder
            self.origin = origin
        }
    }

    /// A fleet that serves.
    public struct Running: Sendable {
        public let controller: Controller
        public let pools: [LocalPool]
        public let clock: LiveClock
        /// Where clients come.
        public let url: String
        /// Where the gateway's metrics and its replicas' addresses are.
        public let adminURL: String
        /// Where the status page is; `nil` for nowhere.
        public let statusURL: String?

        /// Waits until every pool has its first replicas and the gateway routes to them.
        ///
        /// - Parameter goesOn: Asked again and again; `false` ends the wait.
        /// - Throws: A `FleetError` when that takes longer than `limit`, with what stands in the way; a `CancellationError`
        ///   when it shall not go on.
        public func ready(within limit: TimeSpan, while goesOn: @Sendable () -> Bool = { true }) async throws {
            let deadline = clock.now + limit
            while await !controller.isReady {
                try Task.checkCancellation()
                guard goesOn() else { throw CancellationError() }
                guard clock.now < deadline else {
                    let status = await controller.status
                    let problems = status.problems.map(\.text) + status.pools.flatMap(\.problems)
                    throw FleetError(
                        "the workers were not ready within \(limit)"
                            + (problems.isEmpty ? "" : ": \(problems.prefix(3).joined(separator: "; "))"))
                }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    private let scenario: Scenario
    private let policy: any ScalingPolicy
    private let options: Options
    private let group: MultiThreadedEventLoopGroup

    public init(
        _ scenario: Scenario, policy: any ScalingPolicy, options: Options, group: MultiThreadedEventLoopGroup
    ) {
        self.scenario = scenario
        self.policy = policy
        self.options = options
        self.group = group
    }

    /// Starts everything, runs `body`, and ends everything. Workers end too when this process is killed: their gateway is
    /// gone with it.
    ///
    /// - Throws: What `body` throws, or why a part could not start or go on.
    public func run<Value: Sendable>(
        _ body: @escaping @Sendable (Running) async throws -> Value
    ) async throws -> Value {
        let clock = LiveClock()
        let (listening, heard) = AsyncStream<GatewayServer.Listening>.makeStream()
        let gateway = try GatewayServer(configuration: gatewayConfiguration()) { heard.yield($0) }
        let pools = try scenario.pools.map { try localPool($0, clock: clock) }
        let result: Result<Value, any Error>
        do {
            result = .success(
                try await withThrowingTaskGroup(of: Value?.self) { tasks in
                    tasks.addTask {
                        defer { heard.finish() }
                        try await gateway.run()
                        return nil
                    }
                    guard let addresses = await listening.first(where: { _ in true }) else {
                        _ = try await tasks.next()
                        throw FleetError("the gateway ended before it listened")
                    }
                    let controller = try controller(addresses, pools: pools, clock: clock)
                    let statusURL = try await status(of: controller, tasks: &tasks)
                    let running = Running(
                        controller: controller, pools: pools, clock: clock,
                        url: "http://\(ListenAddress(host: options.listen.host, port: addresses.port))",
                        adminURL: "http://127.0.0.1:\(addresses.adminPort)", statusURL: statusURL)
                    for pool in pools {
                        tasks.addTask {
                            await pool.run()
                            return nil
                        }
                    }
                    tasks.addTask {
                        try await controller.run()
                        return nil
                    }
                    tasks.addTask { try await body(running) }
                    defer { tasks.cancelAll() }
                    while let ended = try await tasks.next() {
                        if let value = ended { return value }
                        if Task.isCancelled { throw CancellationError() }
                        throw FleetError("a part of the fleet ended by itself")
                    }
                    throw CancellationError()
                })
        } catch {
            result = .failure(error)
        }
        await withTaskGroup(of: Void.self) { tasks in
            for pool in pools { tasks.addTask { await pool.stopAll(within: .seconds(5)) } }
        }
        return try result.get()
    }

    /// Serves the status page, where it is wanted.
    ///
    /// - Returns: Where.
    private func status<Value>(
        of controller: Controller, tasks: inout ThrowingTaskGroup<Value?, any Error>
    ) async throws -> String? {
        guard let listen = options.status else { return nil }
        let (listening, heard) = AsyncStream<Int>.makeStream()
        let server = ControllerServer(controller, listen: listen, tokens: []) { heard.yield($0) }
        tasks.addTask {
            defer { heard.finish() }
            do { try await server.run() } catch { throw FleetError("\(listen): cannot listen there: \(error)") }
            return nil
        }
        guard let port = await listening.first(where: { _ in true }) else {
            _ = try await tasks.next()
            throw FleetError("\(listen): cannot listen there")
        }
        return "http://\(ListenAddress(host: listen.host, port: port))"
    }

    private func gatewayConfiguration() -> GatewayConfiguration {
        var settings = GatewaySettings()
        settings.listen = options.listen
        settings.admin = ListenAddress(host: "127.0.0.1", port: 0)
        // Nobody but this machine reaches it; a tenant is whom a body's `user` names.
        settings.authentication = .none
        settings.limits.connections = 65_536
        settings.limits.bodyBytes = 64 << 20
        settings.log = .none
        var configuration = GatewayConfiguration(
            scenario: scenario, settings: settings, stateFolder: "\(options.folder)/gateway")
        (configuration.version, configuration.traces) = (options.version, options.traces)
        return configuration
    }

    private func localPool(_ pool: PoolConfiguration, clock: LiveClock) throws -> LocalPool {
        let folder = "\(options.folder)/pools/\(pool.id.name)"
        let command = try WorkerCommand(
            options.executor, program: options.program, pool: pool, folder: folder, stepFactor: options.stepFactor,
            seed: scenario.seed, collector: options.traces?.collector)
        var configuration = LocalPool.Configuration(
            pool: pool, price: scenario.priceBook.price(of: pool.offering)?.rate, tenantCount: scenario.tenants.count,
            folder: folder, command: { command.words(replica: $0, readyAt: $1) })
        configuration.startsWarm = true
        configuration.lifeline = try Lifeline()
        return LocalPool(configuration, clock: clock)
    }

    private func controller(
        _ gateway: GatewayServer.Listening, pools: [LocalPool], clock: LiveClock
    ) throws -> Controller {
        var configuration = Controller.Configuration(
            control: scenario.control, limits: scenario.guardLimits, pools: scenario.observedPools, policy: policy,
            folder: options.folder, origin: options.origin, isActive: options.isActive,
            gateway: try LoadTarget("http://127.0.0.1:\(gateway.adminPort)"))
        (configuration.version, configuration.abuse) = (options.version, options.abuse)
        configuration.hasDailyJournals = options.hasDailyJournals
        configuration.stepTimes = Dictionary(uniqueKeysWithValues: scenario.pools.map { ($0.id, $0.profile.stepTime) })
        configuration.startsByItself = false
        return try Controller(configuration, actuators: pools, clock: clock, group: group)
    }
}

/// Why a fleet on this machine could not be started, or did not go on.
public struct FleetError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
