import Formats
import Synchronization
import Units

/// Who may do what, by token, and which commands were given before.
final class AdminAccess: Sendable {
    /// How old a command may be, and how long its name is remembered.
    private static let patience = TimeSpan.seconds(60)

    private let tokens: [AdminToken]
    private let seen = Mutex<[String: Instant]>([:])

    init(tokens: [AdminToken]) { self.tokens = tokens }

    /// - Throws: 401 without a known token, 403 with one whose role may not.
    func require(_ least: AdminRole, _ authorization: String?) throws(APIError) {
        try tokens.require(least, shown: Self.digest(authorization))
    }

    /// A browser sends a token as the password of basic authentication; programs as a bearer's.
    private static func digest(_ authorization: String?) -> [UInt8]? {
        guard let authorization, authorization.count <= 4096 else { return nil }
        guard authorization.lowercased().hasPrefix("basic ") else { return TenantKeys.digest(ofBearer: authorization) }
        guard let password = BasicPassword(authorization).text else { return nil }
        return Array(Digest(of: password).hexadecimal.utf8)
    }

    /// Lets a command through once: its name is its time in milliseconds since 1970, a dash and anything.
    ///
    /// - Throws: 400 for a command without a name, 409 for one that is too old or was given before.
    func admit(_ name: String?, at now: Instant) throws(APIError) {
        guard let name, name.count <= 100, let dash = name.firstIndex(of: "-"),
            let milliseconds = Int64(name[..<dash]), (0..<9_000_000_000_000).contains(milliseconds)
        else {
            throw .invalid(
                "A command needs the field X-Tidegate-Command: milliseconds since 1970, a dash and a random word",
                param: nil)
        }
        let given = Instant(nanoseconds: milliseconds * 1_000_000)
        let isFresh = given > now - Self.patience && given < now + Self.patience
        let isNew = seen.withLock { seen in
            seen = seen.filter { $0.value > now - Self.patience * 2 }
            return seen.updateValue(now, forKey: name) == nil
        }
        guard isFresh, isNew else {
            throw APIError(
                status: .conflict, message: "The command was given before, or more than a minute ago",
                type: "invalid_request_error", code: "replayed")
        }
    }
}

extension [AdminToken] {
    /// Lets through whoever shows a token whose role is at least `least`; everybody where there are no tokens.
    ///
    /// - Parameter shown: The digest of what was shown, in hexadecimal digits; `nil` for nothing.
    /// - Throws: 401 without a known token, 403 with one whose role may not.
    func require(_ least: AdminRole, shown: [UInt8]?) throws(APIError) {
        guard !isEmpty else { return }
        guard let shown else { throw .noKey }
        var role: AdminRole?
        // Every known digest is compared, each to its end: how long it takes tells nothing.
        for token in self {
            if TenantKeys.areEqual([UInt8](token.digest.lowercased().utf8), shown) { role = token.role }
        }
        guard let role else { throw .wrongKey }
        guard role >= least else {
            throw APIError(
                status: .forbidden, message: "The role \(role.rawValue) may not do this, \(least.rawValue) may",
                type: "invalid_request_error", code: "wrong_role")
        }
    }
}
