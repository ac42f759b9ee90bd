import NIOCore
import NIOSSL

extension ChannelPipeline.SynchronousOperations {
    /// Adds TLS for a server whose peers must show a certificate of one of the roles.
    ///
    /// - Parameter refused: Told why a peer was not let in. The connection is closed already.
    public func addMutualTLSServer(
        _ material: TLSMaterial, allowed: [PeerRole],
        refused: @escaping @Sendable (PeerRefusal, SocketAddress?) -> Void
    ) throws {
        let handler = NIOSSLServerHandler._makeSSLServerHandler(context: material.contexts.server) {
            PeerCheck.verify($0, allowed: allowed, on: $1)
        }
        try addHandlers(handler, PeerCheck(refused: refused))
    }

    /// Adds TLS for a server whose peers show no certificate: what they send says who they are.
    func addTLSServer(_ material: TLSMaterial) throws {
        try addHandler(NIOSSLServerHandler(context: material.contexts.open))
    }

    /// Adds TLS for a client whose server must show a certificate of the role.
    public func addMutualTLSClient(
        _ material: TLSMaterial, server: PeerRole,
        refused: @escaping @Sendable (PeerRefusal, SocketAddress?) -> Void
    ) throws {
        let handler = try NIOSSLClientHandler._makeSSLClientHandler(
            context: material.contexts.client, serverHostname: nil
        ) { PeerCheck.verify($0, allowed: [server], on: $1) }
        try addHandlers(handler, PeerCheck(refused: refused))
    }
}
