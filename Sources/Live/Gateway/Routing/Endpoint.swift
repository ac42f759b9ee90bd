/// Where a replica is: an `http` or `https` URL without a path, and a socket where the gateway may be on its machine.
struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: Int
    /// Whether it is spoken to by mutual TLS.
    let isTLS: Bool
    /// The nearer way to the same server; `nil` for none.
    let socket: SocketFile?

    /// - Throws: What is wrong with the texts, in words.
    init(_ text: String, socket path: String? = nil) throws(LoadError) {
        isTLS = text.hasPrefix("https://")
        let target = try LoadTarget(isTLS ? "http://" + text.dropFirst(8) : text)
        guard target.prefix.isEmpty else { throw LoadError("\(text): a replica's URL has no path") }
        (host, port) = (target.host, target.port)
        guard let path else {
            socket = nil
            return
        }
        guard path.hasPrefix("/") else { throw LoadError("\(path): a replica's socket is an absolute path") }
        socket = try SocketFile(path)
    }

    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    var description: String { "\(isTLS ? "https" : "http")://\(authority)" }
}
