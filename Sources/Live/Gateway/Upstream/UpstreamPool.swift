import NIOCore
import NIOPosix
import Units

/// The connections of one event loop to one replica.
final class UpstreamPool {
    /// Below the 5 s after which common servers close a connection that is free.
    private static let longestFree = TimeSpan.seconds(4)

    let endpoint: Endpoint
    /// As the gate names the replica.
    let serial: Int
    let poolIndex: Int
    private let eventLoop: any EventLoop
    private let connectTimeout: TimeSpan
    private let meter: GatewayMeter
    private let tls: TLSMaterial?
    private let refused: @Sendable (PeerRefusal, SocketAddress?) -> Void
    private var idle: [UpstreamConnection] = []
    /// Attempts whose connection is being made, in order.
    private var connecting: [Attempt] = []
    /// Attempts under way.
    private(set) var busy = 0
    /// When the replica sent anything last, or was given something to do.
    var lastByte = Instant.epoch

    init(
        _ assignment: PoolGate.Assignment, pool: Int, on eventLoop: any EventLoop, connectTimeout: TimeSpan,
        meter: GatewayMeter, tls: TLSMaterial?, refused: @escaping @Sendable (PeerRefusal, SocketAddress?) -> Void
    ) {
        (self.tls, self.refused) = (tls, refused)
        (endpoint, serial, poolIndex) = (assignment.endpoint, assignment.serial, pool)
        (self.eventLoop, self.connectTimeout, self.meter) = (eventLoop, connectTimeout, meter)
    }

    var isUnused: Bool { busy == 0 && idle.isEmpty && connecting.isEmpty }

    /// Sends an attempt on a free connection, or on one that is made for it.
    ///
    /// - Parameter fresh: Whether a used connection will not do: one has just turned out to be closed.
    func send(_ attempt: Attempt, fresh: Bool = false) {
        if busy == 0 { lastByte = MonotonicTime.now }
        busy += 1
        while !fresh, let connection = idle.popLast() {
            if connection.isOpen { return connection.send(attempt) }
        }
        connecting.append(attempt)
        connect()
    }

    /// An attempt has ended, however it did.
    func ended() { busy -= 1 }

    private func connect() {
        guard let socket = endpoint.socket else { return connectByTCP() }
        whenFailed(bootstrap().connect(unixDomainSocketPath: socket.path)) { pool, error in
            // The gateway has no TLS, which TCP would want too.
            if error is LoadError { pool.failedToConnect() } else { pool.connectByTCP() }
        }
    }

    /// The way to a replica without a socket, and to one whose socket leads nowhere: its file is gone, or in a file system
    /// that the gateway does not see.
    private func connectByTCP() {
        let bootstrap = bootstrap()
        if let address = try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port) {
            whenFailed(bootstrap.connect(to: address)) { pool, _ in pool.failedToConnect() }
        } else {
            whenFailed(bootstrap.connect(host: endpoint.host, port: endpoint.port)) { pool, _ in pool.failedToConnect()
            }
        }
    }

    /// NIO sets TCP_NODELAY by itself, and knows that Unix sockets have none.
    private func bootstrap() -> ClientBootstrap {
        let pool = NIOLoopBound(self, eventLoop: eventLoop)
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(connectTimeout.nanoseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pool.value.encrypt(pipeline)
                    try pipeline.addHandler(UpstreamConnection(pool.value))
                }
            }
    }

    private func whenFailed(
        _ connection: EventLoopFuture<any Channel>, _ act: @escaping (UpstreamPool, any Error) -> Void
    ) {
        connection.hop(to: eventLoop).assumeIsolated().whenFailure { act(self, $0) }
    }

    /// Puts TLS before what speaks HTTP, for a replica that wants it.
    private func encrypt(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        guard endpoint.isTLS else { return }
        guard let tls else {
            let reason = "\(endpoint) wants TLS, and the gateway's configuration has no section 'tls'"
            refused(.handshake(reason), nil)
            throw LoadError(reason)
        }
        try pipeline.addMutualTLSClient(tls, server: .worker, refused: refused)
    }

    func opened(_ connection: UpstreamConnection) {
        meter.update { $0.upstreamConnections += 1 }
        while !connecting.isEmpty {
            let attempt = connecting.removeFirst()
            if !attempt.isCancelled { return connection.send(attempt) }
        }
        idle.append(connection)
    }

    private func failedToConnect() {
        while !connecting.isEmpty {
            let attempt = connecting.removeFirst()
            guard !attempt.isCancelled else { continue }
            return attempt.exchange.fail(attempt, .connect)
        }
    }

    func free(_ connection: UpstreamConnection) { idle.append(connection) }

    func closed(_ connection: UpstreamConnection) {
        meter.update { $0.upstreamConnections -= 1 }
        idle.removeAll { $0 === connection }
    }

    /// Closes connections that were free for long.
    func tidy(at now: Instant) {
        while let oldest = idle.first, now - oldest.freeSince > Self.longestFree {
            idle.removeFirst()
            oldest.close()
        }
    }

    func closeAll() {
        let all = idle
        idle = []
        for connection in all { connection.close() }
    }
}
