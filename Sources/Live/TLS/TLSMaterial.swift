import Formats
import Foundation
import NIOSSL

/// A process's certificate, its key and the authority that it trusts, for connections where both sides show who they are.
///
/// The files are read again when they change, so certificates can be renewed while the process serves: connections that
/// are open go on, new ones use the new files. While a set of files does not fit together, the one before it stays.
public final class TLSMaterial: Sendable {
    /// Files that cannot be used.
    public struct Problem: Error, Hashable, CustomStringConvertible {
        public var file: String
        public var what: String
        public var remedy: String
        public var description: String { "\(file): error: \(what)\n    \(remedy)" }

        public init(file: String, what: String, remedy: String) {
            self.file = file
            self.what = what
            self.remedy = remedy
        }
    }

    struct Contexts: Sendable {
        var role: PeerRole
        var server: NIOSSLContext
        var client: NIOSSLContext
        /// For a server that asks nobody for a certificate.
        var open: NIOSSLContext
    }

    public let files: TLSFileNames
    private let watched: WatchedFile<Contexts>

    /// - Throws: `Problem` when the files cannot be used as they are now.
    public init(_ files: TLSFileNames) throws(Problem) {
        self.files = files
        watched = WatchedFile([files.certificate, files.key, files.authority]) { _ in try Self.read(files) }
        do {
            _ = try watched.value
        } catch {
            throw error as? Problem ?? Problem(file: files.certificate, what: "\(error)", remedy: Self.remedy)
        }
    }

    /// The same for a process that must be what its certificate says.
    public convenience init(_ files: TLSFileNames, as role: PeerRole) throws(Problem) {
        try self.init(files)
        guard self.role == role else {
            throw Problem(
                file: files.certificate, what: "it is the certificate of a \(self.role), and this is a \(role)",
                remedy: "use the file \(role).pem that 'tidegate init-ca' makes")
        }
    }

    /// The contexts of the files as they are now.
    ///
    /// Files that were good once are never a reason to stop: the last good ones stay.
    var contexts: Contexts {
        do {
            return try watched.value
        } catch {
            preconditionFailure("material that was read before cannot be had any more: \(error)")
        }
    }

    /// What this process is, by its certificate.
    public var role: PeerRole { contexts.role }

    private static let remedy = "tidegate init-ca makes a set of files that fit together"

    private static func read(_ files: TLSFileNames) throws(Problem) -> Contexts {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
        } catch {
            throw Problem(file: files.certificate, what: problem(files.certificate, "certificate"), remedy: remedy)
        }
        do {
            key = try NIOSSLPrivateKey(file: files.key, format: .pem)
        } catch {
            throw Problem(file: files.key, what: problem(files.key, "private key without a passphrase"), remedy: remedy)
        }
        guard let authorities = try? NIOSSLCertificate.fromPEMFile(files.authority), !authorities.isEmpty else {
            throw Problem(file: files.authority, what: problem(files.authority, "certificate"), remedy: remedy)
        }
        guard let leaf = chain.first, let role = PeerRole(of: leaf) else {
            throw Problem(
                file: files.certificate, what: "the certificate names no role such as \(PeerRole.worker.uri)",
                remedy: remedy)
        }
        guard leaf.notValidAfter > time(nil) else {
            throw Problem(
                file: files.certificate,
                what: "the \(role)'s certificate expired at \(WallTime.instant(seconds: leaf.notValidAfter))",
                remedy: remedy)
        }
        do {
            let sources = chain.map { NIOSSLCertificateSource.certificate($0) }
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: sources, privateKey: .privateKey(key))
            var open = server
            open.minimumTLSVersion = .tlsv12
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateChain = sources
            client.privateKey = .privateKey(key)
            demandPeers(&server, authorities)
            demandPeers(&client, authorities)
            return Contexts(
                role: role, server: try NIOSSLContext(configuration: server),
                client: try NIOSSLContext(configuration: client), open: try NIOSSLContext(configuration: open))
        } catch {
            throw Problem(
                file: files.key, what: "it is not the key of \(files.certificate)", remedy: remedy)
        }
    }

    /// Both sides must show a certificate of the authority.
    private static func demandPeers(_ configuration: inout TLSConfiguration, _ authorities: [NIOSSLCertificate]) {
        configuration.trustRoots = .certificates(authorities)
        // The role stands for the host; see `PeerRole`.
        configuration.certificateVerification = .noHostnameVerification
        configuration.minimumTLSVersion = .tlsv13
    }

    private static func problem(_ path: String, _ what: String) -> String {
        FileManager.default.isReadableFile(atPath: path)
            ? "it holds no \(what) in PEM" : "it is not there or cannot be read"
    }
}
