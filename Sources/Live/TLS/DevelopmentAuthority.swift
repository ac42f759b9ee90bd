import Formats
import Foundation
import Units

/// Makes an authority and a certificate for each role, for development and for tests.
///
/// By the command `openssl`, which nearly every system has: libraries that do it would add minutes to each clean build, for
/// something that is done once. Keys are readable by their owner alone, and no file is ever overwritten.
public struct DevelopmentAuthority: Sendable {
    public enum Failure: Error, Hashable, CustomStringConvertible {
        case exists([String])
        case noOpenSSL
        case failed(step: String, said: String)
        case cannotWrite(String)

        public var description: String {
            switch self {
            case .exists(let files):
                "\(files.joined(separator: ", ")) exist already, and keys are never overwritten\n"
                    + "    name another folder, or remove them if nothing uses them any more"
            case .noOpenSSL: "there is no openssl on the PATH\n    install it by your system's package manager"
            case .failed(let step, let said): "openssl cannot make \(step): \(said)"
            case .cannotWrite(let what): what
            }
        }
    }

    public var folder: String
    public var days: Int
    /// Names and addresses that certificates hold beside the role, for clients that check a host.
    public var hosts: [String]

    /// - Precondition: each host is one: see `isHost`.
    public init(folder: String, days: Int = 30, hosts: [String] = ["localhost", "127.0.0.1", "::1"]) {
        self.folder = folder
        self.days = days
        self.hosts = hosts
    }

    /// Whether a text can stand in a certificate as a name or an address: it goes into openssl's own syntax.
    public static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-.:*_".contains($0)) }
    }

    /// The files of a role.
    public func files(of role: PeerRole) -> TLSFileNames {
        TLSFileNames(
            certificate: "\(folder)/\(role).pem", key: "\(folder)/\(role).key", authority: "\(folder)/ca.pem")
    }

    static let names = ["ca.pem", "ca.key"] + PeerRole.allCases.flatMap { ["\($0).pem", "\($0).key"] }

    /// Makes all the files, or none.
    ///
    /// - Returns: Their names.
    @discardableResult
    public func make() async throws(Failure) -> [String] {
        let manager = FileManager.default
        let existing = Self.names.filter { manager.fileExists(atPath: "\(folder)/\($0)") }
        guard existing.isEmpty else { throw .exists(existing.map { "\(folder)/\($0)" }) }
        let scratch = "\(folder)/.new-\(UUID().uuidString)"
        do {
            try manager.createDirectory(
                atPath: scratch, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .cannotWrite("\(folder): the folder cannot be made: \(error.localizedDescription)")
        }
        defer { try? manager.removeItem(atPath: scratch) }
        try await makeAuthority(in: scratch)
        for role in PeerRole.allCases { try await makeCertificate(of: role, in: scratch) }
        try publish(from: scratch)
        return Self.names.map { "\(folder)/\($0)" }
    }

    private func makeAuthority(in scratch: String) async throws(Failure) {
        try await openssl(
            "the authority",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256"]
                + ["-days", String(days), "-subj", "/CN=Tidegate development authority"]
                + ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
                + ["-keyout", "\(scratch)/ca.key", "-out", "\(scratch)/ca.pem"])
    }

    /// Makes a key and a certificate that the authority in `scratch` signs.
    func makeCertificate(of role: PeerRole, in scratch: String, days: Int? = nil) async throws(Failure) {
        let base = "\(scratch)/\(role)"
        try await openssl(
            "the key of the \(role)",
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256"]
                + ["-subj", "/CN=Tidegate \(role)", "-keyout", "\(base).key", "-out", "\(base).csr"])
        precondition(hosts.allSatisfy(Self.isHost), "a host that is none: \(hosts)")
        let names = hosts.map { host in
            host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." } ? "IP:\(host)" : "DNS:\(host)"
        }
        let extensions = """
            basicConstraints=critical,CA:FALSE
            keyUsage=critical,digitalSignature
            extendedKeyUsage=serverAuth,clientAuth
            subjectAltName=\(([("URI:" + role.uri)] + names).joined(separator: ","))

            """
        do {
            try Data(extensions.utf8).write(to: URL(filePath: "\(base).ext"))
        } catch {
            throw .cannotWrite("\(base).ext: \(error.localizedDescription)")
        }
        try await openssl(
            "the certificate of the \(role)",
            ["x509", "-req", "-in", "\(base).csr", "-CA", "\(scratch)/ca.pem", "-CAkey", "\(scratch)/ca.key"]
                + ["-CAcreateserial", "-days", String(days ?? self.days), "-sha256", "-extfile", "\(base).ext"]
                + ["-out", "\(base).pem"])
    }

    /// Gives the files their names. A link does not replace a file that has appeared meanwhile, as a rename would.
    private func publish(from scratch: String) throws(Failure) {
        var linked: [String] = []
        for name in Self.names {
            let (source, target) = ("\(scratch)/\(name)", "\(folder)/\(name)")
            chmod(source, name.hasSuffix(".key") ? 0o600 : 0o644)
            guard link(source, target) == 0 else {
                let reason = String(cString: strerror(errno))
                for file in linked { unlink(file) }
                throw .cannotWrite("\(target): \(reason)")
            }
            linked.append(target)
        }
    }

    private func openssl(_ step: String, _ arguments: [String]) async throws(Failure) {
        do throws(HookCommand.Failure) {
            let command = HookCommand(words: ["openssl"] + arguments, deadline: .seconds(60))
            let outcome = try await command.run([:])
            guard outcome.code != 0 else { return }
            throw .cannotStart(outcome.errors)
        } catch {
            switch error {
            case .notFound: throw .noOpenSSL
            case .cannotStart(let reason): throw .failed(step: step, said: reason)
            case .tooSlow(let limit, _): throw .failed(step: step, said: "it did not end within \(limit)")
            }
        }
    }
}
