/// Where a replica is: an `http` URL without a path.
struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: Int

    /// - Throws: What is wrong with the text, in words.
    init(_ text: String) throws(LoadError) {
        let target = try LoadTarget(text)
        guard target.prefix.isEmpty else { throw LoadError("\(text): a replica's URL has no path") }
        (host, port) = (target.host, target.port)
    }

    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    var description: String { "http://\(authority)" }
}
