import Formats
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Store
import Synchronization
import Units

/// A gateway: an OpenAI-compatible front for pools of workers, and an admin listener for who steers it.
///
///     let gateway = try GatewayServer(configuration: configuration) { print("clients come to port \($0.port)") }
///     async let serving: Void = gateway.run()
///     let drain = await gateway.drain(within: .seconds(30))     // then `run` returns
///
/// Its state (registry, ledger, salt) is in one folder, which one gateway at a time may use.
public final class GatewayServer: Sendable {
    /// The ports that were got.
    public struct Listening: Hashable, Sendable {
        public var port: Int
        public var adminPort: Int
    }

    /// How a drain ended.
    public enum Drain: Hashable, Sendable {
        case finished
        /// Answers that were cut because the deadline came.
        case cut(Int)
    }

    let core: GatewayCore
    private let registry: ReplicaRegistry
    private let lock: FolderLock
    private let ledger: UsageLedger
    private let onListening: @Sendable (Listening) -> Void
    private let group: MultiThreadedEventLoopGroup
    private let ending = AsyncStream<Void>.makeStream()

    /// Opens the state's folder, which is made when missing, and reads what is in it.
    ///
    /// - Throws: `GatewayStartError`: the folder cannot be used, another gateway uses it, or what is in it is damaged.
    public init(
        configuration: GatewayConfiguration, onListening: @escaping @Sendable (Listening) -> Void
    ) throws(GatewayStartError) {
        let folder = configuration.stateFolder
        self.onListening = onListening
        let tls = try Self.material(configuration.settings.tls)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw GatewayStartError(
                "\(folder): error: the folder of the state cannot be made: \(error.localizedDescription)")
        }
        lock = try FolderLock("\(folder)/gateway.lock")
        do {
            ledger = try UsageLedger(path: "\(folder)/ledger.sqlite")
            let secret = try SaltFile(folder: folder).readOrMake()
            core = try GatewayCore(
                configuration, ledger: ledger, salts: CacheSalts(secret: secret, tenants: configuration.tenants),
                tls: tls)
            registry = try ReplicaRegistry(core, folder: folder)
        } catch {
            throw GatewayStartError("\(error)")
        }
        group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.settings.threads)
    }

    private static func material(_ files: TLSFileNames?) throws(GatewayStartError) -> TLSMaterial? {
        guard let files else { return nil }
        do throws(TLSMaterial.Problem) {
            return try TLSMaterial(files, as: .gateway)
        } catch {
            throw GatewayStartError("\(error)")
        }
    }

    /// Serves until a drain has ended.
    ///
    /// - Throws: `GatewayStartError` when an address cannot be had.
    public func run() async throws {
        let handles = try await makeLoops()
        core.start(on: handles)
        registry.restore()
        let settings = core.configuration.settings
        let listener: any Channel
        do {
            listener = try await listen(settings.listen, handles)
        } catch {
            await end(handles)
            throw GatewayStartError("\(settings.listen): error: cannot listen there: \(error)")
        }
        let port = listener.localAddress?.port ?? settings.listen.port
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                let admin = adminGroup { [onListening] adminPort in onListening(.init(port: port, adminPort: adminPort))
                }
                tasks.addTask { try await admin.run() }
                tasks.addTask { [ending] in
                    for await _ in ending.stream { break }
                    try? await listener.close()
                    await admin.triggerGracefulShutdown()
                }
                try await tasks.next()
                ending.continuation.finish()
                try await tasks.waitForAll()
            }
        } catch {
            try? await listener.close()
            await end(handles)
            throw GatewayStartError("\(settings.admin): error: cannot listen there: \(error)")
        }
        await end(handles)
    }

    /// Takes no new request, lets those that run finish, and ends the server.
    public func drain(within limit: TimeSpan) async -> Drain {
        core.isDraining = true
        for handle in core.handles { handle.eventLoop.execute { handle.loop.value.closeIdle() } }
        let deadline = MonotonicTime.now + limit
        while core.state.withLock(\.open) > 0, MonotonicTime.now < deadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
        let cut = core.state.withLock(\.open)
        if cut > 0 {
            for handle in core.handles { handle.eventLoop.execute { handle.loop.value.end() } }
            // The rows of what was cut are written too.
            let patience = MonotonicTime.now + .seconds(2)
            while core.state.withLock(\.open) > 0, MonotonicTime.now < patience {
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
        ending.continuation.finish()
        return cut == 0 ? .finished : .cut(cut)
    }

    private func end(_ handles: [GatewayLoopHandle]) async {
        for handle in handles { try? await handle.eventLoop.submit { handle.loop.value.closeAll() }.get() }
        let unwritten = core.close()
        await core.spans?.close()
        if unwritten > 0 {
            core.configuration.log(Array("{\"level\":\"error\",\"event\":\"rows lost\",\"count\":\(unwritten)}\n".utf8))
        }
        try? ledger.close()
        try? await group.shutdownGracefully()
        lock.release()
    }

    // MARK: - Listeners

    private func makeLoops() async throws -> [GatewayLoopHandle] {
        var handles: [GatewayLoopHandle] = []
        for (index, eventLoop) in group.makeIterator().enumerated() {
            let meter = GatewayMeter(pools: core.configuration.pools.count, tenants: core.configuration.tenants.count)
            let loop = try await eventLoop.submit { [core] in
                let loop = GatewayLoop(core, index: index, eventLoop: eventLoop, meter: meter)
                loop.startTicking()
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.get()
            handles.append(GatewayLoopHandle(eventLoop: eventLoop, loop: loop, meter: meter))
        }
        return handles
    }

    private func listen(_ address: ListenAddress, _ handles: [GatewayLoopHandle]) async throws -> any Channel {
        let limits = core.configuration.settings.limits
        let slots = ConnectionSlots(limits.connections)
        let tls = core.configuration.settings.servesClientsByTLS ? core.tls : nil
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptGate(slots))
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handle = handles.first { $0.eventLoop === channel.eventLoop }!
                    if let tls { try channel.pipeline.syncOperations.addTLSServer(tls) }
                    try GatewayPipeline.add(to: channel, loop: handle.loop.value, limits: limits)
                    slots.take(channel)
                }
            }
            .bind(host: address.host, port: address.port).get()
    }

    private func adminGroup(onListening: @escaping @Sendable (Int) -> Void) -> ServiceGroup {
        var logger = Logger(label: "tidegate.gateway")
        logger.logLevel = .critical
        let address = core.configuration.settings.admin
        let app = Application(
            responder: AdminResponder(core: core, registry: registry),
            server: adminServer(),
            configuration: .init(
                address: .hostname(address.host, port: address.port), serverName: "tidegate", backlog: 256,
                availableConnectionsDelegate: .maximum(256, logger: logger)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? address.port) }, logger: logger)
        var services = ServiceGroupConfiguration(services: [app], logger: logger)
        services.maximumGracefulShutdownDuration = .seconds(2)
        return ServiceGroup(configuration: services)
    }
}

extension GatewayServer {
    /// With TLS, controllers alone: what an operator does goes through one.
    private func adminServer() -> HTTPServerBuilder {
        let http = HTTP1Channel.Configuration(
            idleTimeout: .seconds(60),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 100))
        let peers = core.tls.map { [core] material in
            HTTPConnections.Peers(material: material, allowed: [.controller]) { core.refused($0, $1, by: "admin") }
        }
        return .connections(http, from: peers)
    }
}

/// The handlers of a client's connection, in one place: what encrypts goes before them.
enum GatewayPipeline {
    static func add(to channel: any Channel, loop: GatewayLoop, limits: GatewayLimits) throws {
        var decoder = NIOHTTPDecoderLimitConfiguration()
        decoder.maxHeaderFieldSize = limits.headerBytes
        decoder.maxHeaderListSize = limits.headerBytes
        decoder.maxHeaderFieldCount = limits.headerFields
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(
            ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoder)))
        try pipeline.addHandler(ClientConnection(loop))
    }
}

/// Why a gateway did not start, in words for the user.
public struct GatewayStartError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
