/// Where a replica is: an `http` or `https` URL without a path.
struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: Int
    /// Whether it is spoken to by mutual TLS.
    let isTLS: Bool

    /// - Throws: What is wrong with the text, in words.
    init(_ text: String) throws(LoadError) {
        isTLS = text.hasPrefix("https://")
        let target = try LoadTarget(isTLS ? "http://" + text.dropFirst(8) : text)
        guard target.prefix.isEmpty else { throw LoadError("\(text): a replica's URL has no path") }
        (host, port) = (target.host, target.port)
    }

    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    var description: String { "\(isTLS ? "https" : "http")://\(authority)" }
}
