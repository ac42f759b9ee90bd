import FleetModel
import Formats
import Foundation
import Logging
import NIOPosix
import Pricing
import Scaling
import Simulation
import Units

/// A controller with its server and its pools' actuators, from a live configuration.
public struct ControllerService: Sendable {
    private let controller: Controller
    private let locals: [LocalPool]
    private let retired: [LocalPool]
    private let clusters: [KubernetesActuator]
    private let settings: ControllerSettings
    private let tokens: [AdminToken]

    /// - Parameters:
    ///   - program: The executable that local workers are started from.
    ///   - origin: What the journal says of who wrote it.
    ///   - onLeadership: Told when it begins to lead, stands by or has lost leadership.
    /// - Throws: `OutputError` when the state's folder cannot be used, `FleetError` when a part cannot be made.
    public init(
        _ configuration: LiveConfiguration, policy: any ScalingPolicy, isActive: Bool, program: String,
        origin: String, version: String, group: MultiThreadedEventLoopGroup,
        onLeadership: @escaping @Sendable (Controller.Leadership) -> Void = { _ in }
    ) throws {
        let clock = LiveClock()
        let scenario = configuration.scenario
        settings = configuration.controller
        tokens = configuration.adminTokens
        let logger = Logger(label: "tidegate.controller")
        let tls = try Self.material(configuration.controller.tls)
        var actuators: [any PoolActuator] = []
        var locals: [LocalPool] = []
        var clusters: [KubernetesActuator] = []
        for pool in scenario.pools {
            switch configuration.actuators[pool.id] ?? .local(model: nil, threads: nil) {
            case .local(let model, let threads):
                let local = try Self.local(
                    pool, in: configuration, model: model, threads: threads, program: program, clock: clock)
                locals.append(local)
                actuators.append(local)
            case .command(let apply, let status, let deadline):
                var settings = CommandActuator.Configuration(pool: pool.id, apply: apply)
                (settings.status, settings.deadline) = (status, deadline)
                settings.offerings = [Self.offering(of: pool, in: scenario)]
                actuators.append(CommandActuator(settings, logger: logger))
            case .kubernetes(let resource, let name, let port):
                var settings = KubernetesActuator.Configuration(
                    pool: pool.id, workload: ScaledWorkload(resource: resource, name: name), port: port)
                settings.drainDeadline = pool.drainDeadline
                settings.isTLS = tls != nil
                settings.offerings = [Self.offering(of: pool, in: scenario)]
                let cluster = KubernetesActuator(try Self.access(), configuration: settings)
                clusters.append(cluster)
                actuators.append(cluster)
            }
        }
        self.locals = locals
        self.clusters = clusters
        let others = LocalPool.retired(
            in: "\(configuration.stateFolder)/pools", besides: scenario.pools.map(\.id), clock: clock)
        retired = others.pools
        var own = Controller.Configuration(
            control: scenario.control, limits: scenario.guardLimits, pools: scenario.observedPools, policy: policy,
            folder: "\(configuration.stateFolder)/controller", origin: origin, isActive: isActive,
            gateway: try Self.target(configuration.gateway.admin),
            gatewayToken: try configuration.controller.gatewayTokenFile.map(Self.token))
        (own.lease, own.version, own.tls) = (configuration.controller.lease, version, tls)
        (own.abuse, own.alarms) = (configuration.controller.abuse, configuration.controller.alarms)
        own.onLeadership = onLeadership
        own.stepTimes = Dictionary(uniqueKeysWithValues: scenario.pools.map { ($0.id, $0.profile.stepTime) })
        var leadership: KubernetesLeadership?
        if let lease = configuration.controller.clusterLease {
            let identity = "\(ProcessInfo.processInfo.hostName)-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
            leadership = KubernetesLeadership(try Self.access(), lease: lease, identity: identity, logger: logger)
        }
        controller = try Controller(
            own, actuators: actuators, clock: clock, group: group, leadership: leadership, retired: retired,
            damaged: others.damaged)
    }

    /// Controls until `isOver` says so or a part fails. Workers stay.
    public func run(
        until isOver: @escaping @Sendable () -> Bool, onListening: @escaping @Sendable (_ url: String) -> Void
    ) async throws {
        let listen = settings.listen
        let server = ControllerServer(controller, listen: listen, tokens: tokens) { port in
            onListening("http://\(ListenAddress(host: listen.host, port: port))")
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    try await server.run()
                } catch is CancellationError {
                } catch {
                    throw FleetError("\(listen): cannot listen there: \(error)")
                }
            }
            for local in locals + retired { tasks.addTask { await local.run() } }
            for cluster in clusters { tasks.addTask { await cluster.run() } }
            tasks.addTask { try await controller.run() }
            tasks.addTask {
                while !isOver(), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(50)) }
            }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    private static func local(
        _ pool: PoolConfiguration, in configuration: LiveConfiguration, model: String?, threads: Int?, program: String,
        clock: LiveClock
    ) throws -> LocalPool {
        let folder = "\(configuration.stateFolder)/pools/\(pool.id.name)"
        let executor = model.map { WorkerExecutor.core(model: $0, threads: threads) } ?? .emulated
        let command = try WorkerCommand(
            executor, program: program, pool: pool, folder: folder, seed: configuration.scenario.seed,
            collector: configuration.traces.flatMap(TraceExport.init)?.collector)
        return LocalPool(
            LocalPool.Configuration(
                pool: pool, price: configuration.scenario.priceBook.price(of: pool.offering)?.rate,
                tenantCount: configuration.scenario.tenants.count, folder: folder,
                command: { command.words(replica: $0, readyAt: $1) }), clock: clock)
    }

    private static func offering(of pool: PoolConfiguration, in scenario: Scenario) -> OfferingObservation {
        OfferingObservation(
            offering: pool.offering, price: scenario.priceBook.price(of: pool.offering)?.rate,
            replicasPerInstance: pool.replicasPerInstance, available: true, expectedColdStart: pool.coldStart.total)
    }

    private static func access() throws(FleetError) -> ClusterAccess {
        do { return try ClusterAccess.inCluster() } catch { throw FleetError("\(error)") }
    }

    private static func target(_ address: ListenAddress) throws(FleetError) -> LoadTarget {
        do { return try LoadTarget("http://\(address)") } catch { throw FleetError("\(error)") }
    }

    private static func material(_ files: TLSFileNames?) throws(FleetError) -> TLSMaterial? {
        guard let files else { return nil }
        do { return try TLSMaterial(files, as: .controller) } catch { throw FleetError("\(error)") }
    }

    /// A secret from its file.
    private static func token(_ path: String) throws(FleetError) -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw FleetError("\(path): the token of the gateway cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
