import Foundation

/// Where an API server answers, and what opens it.
public struct ClusterAccess: Hashable, Sendable {
    public var host: String
    public var port: Int
    public var isTLS: Bool
    /// The namespace that names without one are looked for in.
    public var namespace: String
    /// PEM of the authorities that sign the API server's certificate; `nil` trusts those of the system.
    public var authorityFile: String?
    /// The bearer token; read again whenever the file changes, for a projected one is replaced before it expires.
    public var tokenFile: String?

    public init(
        host: String, port: Int, isTLS: Bool = true, namespace: String, authorityFile: String? = nil,
        tokenFile: String? = nil
    ) {
        self.host = host
        self.port = port
        self.isTLS = isTLS
        self.namespace = namespace
        self.authorityFile = authorityFile
        self.tokenFile = tokenFile
    }

    /// What every pod with a service account finds.
    ///
    /// - Source: Kubernetes documentation, "Accessing the Kubernetes API from a Pod".
    /// - Throws: `Missing` with what is not there.
    public static func inCluster(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        folder: String = "/var/run/secrets/kubernetes.io/serviceaccount"
    ) throws(Missing) -> ClusterAccess {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty else {
            throw Missing(what: "the variable KUBERNETES_SERVICE_HOST: this process runs in no pod of a cluster")
        }
        let portText = environment["KUBERNETES_SERVICE_PORT"] ?? ""
        guard let port = Int(portText), (1...65_535).contains(port) else {
            throw Missing(what: "a port in KUBERNETES_SERVICE_PORT, which is '\(portText)'")
        }
        let files = ["token", "ca.crt", "namespace"].map { folder + "/" + $0 }
        for file in files where !FileManager.default.isReadableFile(atPath: file) {
            throw Missing(what: "\(file): mount the service account's token (automountServiceAccountToken)")
        }
        let namespace = (try? String(contentsOfFile: files[2], encoding: .utf8)) ?? ""
        return ClusterAccess(
            host: host, port: port, namespace: namespace.trimmingCharacters(in: .whitespacesAndNewlines),
            authorityFile: files[1], tokenFile: files[0])
    }

    /// Something that access from inside a cluster needs is not there.
    public struct Missing: Error, Hashable, CustomStringConvertible {
        public var what: String
        public var description: String { "there is no \(what)" }
    }
}
