import Units

extension ScalarSchema<String> {
    /// A SHA-256 digest, as `sha256sum` prints it.
    static var sha256: ScalarSchema {
        ScalarSchema(
            reason: "is no SHA-256 digest",
            fix: "write 64 hexadecimal digits, such as printed by: printf %s \"$KEY\" | sha256sum"
        ) { text in
            let isDigest =
                text.utf8.count == 64
                && text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66) }
            return isDigest ? text.lowercased() : nil
        }
    }
}

extension ScalarSchema<String> {
    /// A plain `http` URL of a host, such as `http://127.0.0.1:4318`.
    static var httpURL: ScalarSchema {
        ScalarSchema(
            reason: "is no URL that begins with http://",
            fix: "write for example 'http://127.0.0.1:4318'; give a host without TLS, such as an agent on this machine"
        ) { text in
            let rest = text.dropFirst(7)
            let authority = rest.prefix { $0 != "/" }
            let port = authority.lastIndex(of: ":").map { authority[authority.index(after: $0)...] }
            guard text.hasPrefix("http://"), !authority.isEmpty, authority.first != ":",
                rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Array("?#@".utf8).contains($0) }),
                authority.hasSuffix("]") || port.map({ (1...65_535).contains(Int($0) ?? 0) }) ?? true
            else { return nil }
            return text
        }
    }
}

extension ScalarSchema<ListenAddress> {
    /// A host with a port, such as `127.0.0.1:8080` or `[::1]:8080`.
    static var address: ScalarSchema {
        ScalarSchema(reason: "is no address with a port", fix: "write for example '127.0.0.1:8080', or port 0 for any")
        {
            text in
            guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
                (0...65_535).contains(port)
            else { return nil }
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = host.dropFirst().dropLast()
            } else if host.contains(":") {
                return nil
            }
            guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
                return nil
            }
            return ListenAddress(host: String(host), port: port)
        }
    }
}

extension ScalarSchema<USD> {
    /// An amount of dollars, for a key that names the unit.
    static var dollars: ScalarSchema {
        ScalarSchema { text in
            guard let value = USD(text) else {
                return .failure(
                    Refusal(
                        reason: "is no amount", fix: "write plain dollars with at most nine decimals, such as '12.50'"))
            }
            guard value >= .zero else { return .failure(Refusal(reason: "is negative", fix: "write '0' or more")) }
            return .success(value)
        }
    }
}
