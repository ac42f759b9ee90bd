import Hummingbird
import HummingbirdCore
import Logging
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
    private let group: ServiceGroup

    /// - Parameter onListening: Told the port once connections are accepted.
    public init(
        loop: EngineLoop, model: ServedModel, configuration: Configuration,
        onListening: @escaping @Sendable (Int) -> Void
    ) {
        self.loop = loop
        spans = configuration.spans
        var logger = Logger(label: "tidegate.worker")
        logger.logLevel = .critical
        let limits = configuration.limits
        let responder = WorkerResponder(
            loop: loop, model: model, state: state, limits: limits, version: configuration.version,
            spans: configuration.spans)
        let app = Application(
            responder: responder, server: Self.server(configuration),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port), serverName: "tidegate",
                backlog: 4096, availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? configuration.port) },
            logger: logger)
        var services = ServiceGroupConfiguration(services: [app], logger: logger)
        services.maximumGracefulShutdownDuration = .seconds(5)
        group = ServiceGroup(configuration: services)
    }

    private static func server(_ configuration: Configuration) -> HTTPServerBuilder {
        let http = channel(configuration.limits)
        guard let tls = configuration.tls else { return .http1(configuration: http) }
        return HTTPServerBuilder { responder in
            MutualTLSChannel(
                base: HTTP1Channel(responder: responder, configuration: http), material: tls,
                allowed: [.gateway, .controller]
            ) { configuration.onRefusedPeer($0, $1.map(\.description) ?? "an unknown address") }
        }
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
    /// - Throws: An error when the address cannot be had.
    public func run() async throws {
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
