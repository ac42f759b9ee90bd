import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Units

/// A worker: one engine behind an OpenAI-compatible HTTP/1.1 server, from its start to its drain.
///
///     let server = WorkerServer(loop: loop, model: model, configuration: .init())
///     async let serving: Void = server.run { port in print("listening on \(port)") }
///     let drain = await server.drain(within: .seconds(30))     // then `run` returns
public final class WorkerServer: Sendable {
    public struct Configuration: Sendable {
        public var host = "127.0.0.1"
        /// 0 for any free one.
        public var port = 0
        /// Where it listens beside that, for clients on the same machine; `nil` for nowhere.
        public var socket: SocketFile?
        public var limits = ServerLimits()
        public var version = "0"
        /// Where the spans of sampled traces go; `nil` for nowhere.
        public var spans: SpanExporter?
        /// With it, only gateways and controllers may connect, and only by mutual TLS.
        public var tls: TLSMaterial?
        /// Told why a peer was not let in, and from where it came.
        public var onRefusedPeer: @Sendable (PeerRefusal, String) -> Void = { _, _ in }

        public init() {}
    }

    /// How a drain ended.
    public enum Drain: Hashable, Sendable {
        case finished
        /// Answers that were cut because the deadline came.
        case cut(Int)
    }

    private let loop: EngineLoop
    private let state = WorkerState()
    private let spans: SpanExporter?
    private let socket: SocketFile?
    private let group: ServiceGroup

    /// - Parameter onListening: Told the port once connections are accepted, at the socket too.
    public init(
        loop: EngineLoop, model: ServedModel, configuration: Configuration,
        onListening: @escaping @Sendable (Int) -> Void
    ) {
        self.loop = loop
        (spans, socket) = (configuration.spans, configuration.socket)
        var logger = Logger(label: "tidegate.worker")
        logger.logLevel = .critical
        let limits = configuration.limits
        let responder = WorkerResponder(
            loop: loop, model: model, state: state, limits: limits, version: configuration.version,
            spans: configuration.spans)
        func listener(
            at address: BindAddress, _ onRunning: @escaping @Sendable (any Channel) async -> Void
        ) -> Application<WorkerResponder> {
            Application(
                responder: responder, server: WorkerServer.server(configuration),
                configuration: .init(
                    address: address, serverName: "tidegate", backlog: 4096,
                    availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
                onServerRunning: onRunning, logger: logger)
        }
        let (socketOpening, socketOpened) = AsyncStream<Void>.makeStream()
        var listeners = [
            listener(at: .hostname(configuration.host, port: configuration.port)) { channel in
                for await _ in socketOpening {}
                // Where the socket cannot be had, nobody is to be told of the port.
                guard !Task.isCancelled else { return }
                onListening(channel.localAddress?.port ?? configuration.port)
            }
        ]
        if let socket {
            listeners.append(
                listener(at: .unixDomainSocket(path: socket.path)) { _ in
                    socket.keepPrivate()
                    socketOpened.finish()
                })
        } else {
            socketOpened.finish()
        }
        var services = ServiceGroupConfiguration(services: listeners, logger: logger)
        services.maximumGracefulShutdownDuration = .seconds(5)
        group = ServiceGroup(configuration: services)
    }

    private static func server(_ configuration: Configuration) -> HTTPServerBuilder {
        let peers = configuration.tls.map { material in
            HTTPConnections.Peers(material: material, allowed: [.gateway, .controller]) {
                configuration.onRefusedPeer($0, words(for: $1))
            }
        }
        return .connections(channel(configuration.limits), from: peers)
    }

    /// Where a peer is.
    private static func words(for peer: SocketAddress?) -> String {
        guard let peer else { return "an unknown address" }
        // Who connects to a Unix socket has no name there.
        return peer.protocol == .unix ? "this machine, at the socket" : peer.description
    }

    private static func channel(_ limits: ServerLimits) -> HTTP1Channel.Configuration {
        // A body that is too large is answered with 413 and read to its end for a while, or a client that is still sending
        // would never see the answer.
        let most = limits.bodyBytes + 16 << 20
        return HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ClientWatch(bodyLimit: most, writeLimit: .nanoseconds(limits.write.nanoseconds))
            ],
            idleTimeout: .nanoseconds(limits.idle.nanoseconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                maxHeaderFieldCount: limits.headerFields))
    }

    /// Serves until a drain has ended.
    ///
    /// - Throws: An error when the address cannot be had; a `LoadError` where the socket is why.
    public func run() async throws {
        try socket?.claim()
        spans?.start()
        try await group.run()
        loop.stop()
        await spans?.close()
    }

    /// Takes no new request, lets those that run finish, and ends the server.
    ///
    /// New ones are told to come back later, by the connections that are open and by new ones, until the last answer is
    /// written or the deadline has come.
    public func drain(within limit: TimeSpan) async -> Drain {
        state.drain()
        let deadline = MonotonicTime.now + limit
        while state.answers > 0, MonotonicTime.now < deadline { try? await Task.sleep(for: .milliseconds(5)) }
        let cut = state.answers
        loop.stop()
        await group.triggerGracefulShutdown()
        return cut == 0 ? .finished : .cut(cut)
    }
}
