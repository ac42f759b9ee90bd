import NIOSSL

/// What a process of the live plane may be, as its certificate says: `spiffe://tidegate/role/gateway`.
///
/// Addresses of replicas change with each scale-out, so certificates name roles and not hosts.
public enum PeerRole: String, Hashable, Sendable, Codable, CaseIterable {
    case gateway, controller, worker

    static let prefix = "spiffe://tidegate/role/"

    public var uri: String { Self.prefix + rawValue }

    /// The one role of a certificate whose signature has been checked; `nil` when it names none, or several.
    init?(of certificate: NIOSSLCertificate) {
        var roles: [PeerRole] = []
        for name in certificate._subjectAlternativeNames() where name.nameType == .uri {
            let uri = String(decoding: name.contents, as: UTF8.self)
            guard uri.hasPrefix(Self.prefix) else { continue }
            // A role that is not known is none, and makes the certificate's other ones doubtful too.
            guard let role = PeerRole(rawValue: String(uri.dropFirst(Self.prefix.count))) else { return nil }
            roles.append(role)
        }
        guard roles.count == 1 else { return nil }
        self = roles[0]
    }
}

/// Why a peer was not let in. Holds nothing secret: certificates are public.
public enum PeerRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case noCertificate
    case expired(notAfter: Int)
    case notYetValid(notBefore: Int)
    /// Signed by another authority, or by none, or altered.
    case untrusted
    case wrongRole(PeerRole?, allowed: [PeerRole])
    /// The peer refused us, or spoke no TLS that we speak.
    case handshake(String)

    public var description: String {
        switch self {
        case .noCertificate: "it showed no certificate"
        case .expired(let time): "its certificate expired at \(Self.date(time))"
        case .notYetValid(let time): "its certificate is not valid before \(Self.date(time))"
        case .untrusted: "its certificate is not signed by our authority"
        case .wrongRole(let role, let allowed):
            "its certificate is that of \(role.map { "a \($0)" } ?? "no known role"), and here only "
                + allowed.map(\.rawValue).joined(separator: " and ") + " may connect"
        case .handshake(let reason): "the TLS handshake failed: \(reason)"
        }
    }

    private static func date(_ seconds: Int) -> String { "\(WallTime.instant(seconds: seconds))" }
}
