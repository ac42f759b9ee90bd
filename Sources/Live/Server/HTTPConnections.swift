import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// A server's HTTP/1.1 connections, each closed where the server drops it unserved.
///
/// A server that ends drops what it accepted and did not begin to serve, and SwiftNIO stops the whole process at a
/// connection that is let go of without being closed (`NIOAsyncWriter`'s precondition).
struct HTTPConnections: ServerChildChannel {
    /// Who may connect, and only by mutual TLS.
    struct Peers: Sendable {
        let material: TLSMaterial
        let allowed: [PeerRole]
        let refused: @Sendable (PeerRefusal, SocketAddress?) -> Void
    }

    final class Connection: ServerChildChannelValue {
        fileprivate let accepted: HTTP1Channel.Value
        fileprivate let isServed = Atomic(false)

        var channel: any Channel { accepted.channel }

        fileprivate init(_ accepted: HTTP1Channel.Value) { self.accepted = accepted }

        deinit {
            guard !isServed.load(ordering: .relaxed) else { return }
            Task { [accepted] in try? await accepted.executeThenClose { _, _ in } }
        }
    }

    fileprivate let http: HTTP1Channel
    fileprivate let peers: Peers?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection> {
        channel.eventLoop.makeCompletedFuture {
            // The files as they are when a peer connects.
            guard let peers else { return }
            try channel.pipeline.syncOperations.addMutualTLSServer(
                peers.material, allowed: peers.allowed, refused: peers.refused)
        }.flatMap { http.setup(channel: channel, logger: logger) }.map { Connection($0) }
    }

    func handle(value: Connection, logger: Logger) async {
        value.isServed.store(true, ordering: .relaxed)
        await http.handle(value: value.accepted, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// - Parameter peers: `nil` to let in whoever connects, without TLS.
    static func connections(
        _ configuration: HTTP1Channel.Configuration = .init(), from peers: HTTPConnections.Peers? = nil
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            HTTPConnections(http: HTTP1Channel(responder: responder, configuration: configuration), peers: peers)
        }
    }
}
