import NIOCore
import NIOSSL
import NIOTLS

/// Tells why a peer was not let in.
///
/// Whether its role may connect is asked inside the handshake, before a byte of either side's data can pass: see
/// `verify(_:allowed:on:)`. This handler stands right behind the TLS handler and hears what became of it.
final class PeerCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private let refused: @Sendable (PeerRefusal, SocketAddress?) -> Void
    private var isDecided = false

    /// - Parameter refused: Told once for each connection that is not let through.
    init(refused: @escaping @Sendable (PeerRefusal, SocketAddress?) -> Void) { self.refused = refused }

    /// Succeeds for a certificate, checked for its signature and dates already, of a role that may connect.
    static func verify(
        _ certificate: NIOSSLCertificate, allowed: [PeerRole], on channel: any Channel
    ) -> EventLoopFuture<Void> {
        let role = PeerRole(of: certificate)
        if let role, allowed.contains(role) { return channel.eventLoop.makeSucceededVoidFuture() }
        return channel.eventLoop.makeFailedFuture(PeerRefusal.wrongRole(role, allowed: allowed))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { isDecided = true }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDecided else { return context.fireErrorCaught(error) }
        refuse(Self.reason(of: error, Self.peerCertificate(context)), context)
    }

    private func refuse(_ reason: PeerRefusal, _ context: ChannelHandlerContext) {
        isDecided = true
        refused(reason, context.remoteAddress)
        context.fireErrorCaught(reason)
        context.close(promise: nil)
    }

    private static func peerCertificate(_ context: ChannelHandlerContext) -> NIOSSLCertificate? {
        let pipeline = context.channel.pipeline.syncOperations
        if let handler = try? pipeline.handler(type: NIOSSLServerHandler.self) { return handler.peerCertificate }
        return (try? pipeline.handler(type: NIOSSLClientHandler.self))?.peerCertificate
    }

    /// What a failed handshake was about. BoringSSL says only that verification failed; the certificate itself says why.
    private static func reason(of error: any Error, _ certificate: NIOSSLCertificate?) -> PeerRefusal {
        if let refusal = error as? PeerRefusal { return refusal }
        let text = "\(error)"
        if text.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") { return .noCertificate }
        guard text.contains("CERTIFICATE_VERIFY_FAILED") else { return .handshake(word(in: text)) }
        guard let certificate else { return .untrusted }
        let now = WallTime.seconds
        if certificate.notValidAfter < now { return .expired(notAfter: certificate.notValidAfter) }
        if certificate.notValidBefore > now { return .notYetValid(notBefore: certificate.notValidBefore) }
        return .untrusted
    }

    /// The reason's own word of a text such as `error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST`.
    private static func word(in text: String) -> String {
        text.split { !($0.isUppercase || $0.isNumber || $0 == "_") }.filter { $0.contains("_") }.max {
            $0.count < $1.count
        }
        .map(String.init) ?? String(text.prefix(120))
    }
}
