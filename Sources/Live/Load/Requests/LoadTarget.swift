/// The server that load is sent to.
public struct LoadTarget: Hashable, Sendable {
    /// A name or an address, without brackets.
    public var host: String
    public var port: Int
    /// What stands before `/v1`, such as `/models/chat`; empty for nothing.
    public var prefix: String

    /// Reads an `http` URL with nothing behind its path, such as `http://127.0.0.1:8000`. A `/v1` at its end, as clients
    /// of the API write it, is left out.
    ///
    /// - Throws: What is wrong with it, in words.
    public init(_ text: String) throws(LoadError) {
        guard text.hasPrefix("http://") else {
            let problem =
                text.hasPrefix("https://")
                ? "https is not spoken here: give the address of a worker, or of a proxy without TLS before the server"
                : "a target is a URL such as http://127.0.0.1:8000"
            throw LoadError("\(text): \(problem)")
        }
        let rest = text.dropFirst(7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") { path = path.dropLast() }
        if path.hasSuffix("/v1") { path = path.dropLast(3) }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { throw LoadError("\(text): a target has no query and no spaces") }
        prefix = String(path)
        (host, port) = try Self.hostAndPort(authority, of: text)
    }

    private static func hostAndPort(_ authority: Substring, of text: String) throws(LoadError) -> (String, Int) {
        var host = authority
        var port = 80
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            host = authority[..<colon]
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                throw LoadError("\(text): the port is not a number from 1 to 65535")
            }
            port = number
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") }) else {
            throw LoadError("\(text): a target is a URL such as http://127.0.0.1:8000, without a user's name")
        }
        return (String(host), port)
    }

    /// As the head of a request names it.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    func path(_ path: String) -> String { prefix + path }
}

extension LoadTarget: CustomStringConvertible {
    public var description: String { "http://\(authority)\(prefix)" }
}

/// Why a load could not be sent, in words for the user.
public struct LoadError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
