import Formats
import Units

/// Whose key a client shows. Keys are known by their digests alone.
struct TenantKeys: Sendable {
    private let digests: [(bytes: [UInt8], tenant: Int)]

    init(_ tenants: [TenantTerms]) {
        digests = tenants.enumerated().flatMap { index, terms in
            terms.keyDigests.map { (Array($0.lowercased().utf8), index) }
        }
    }

    /// The tenant of a field `Authorization: Bearer KEY`; `nil` when there is none.
    ///
    /// Every known digest is compared, each to its end: how long it takes tells nothing.
    func tenant(authorization: String?) -> Int? {
        guard let shown = Self.digest(ofBearer: authorization) else { return nil }
        var found = -1
        for (digest, tenant) in digests { found = Self.areEqual(digest, shown) ? tenant : found }
        return found < 0 ? nil : found
    }

    /// The digest of what follows `Bearer`, in hexadecimal digits.
    static func digest(ofBearer authorization: String?) -> [UInt8]? {
        guard let authorization, authorization.count <= 4096 else { return nil }
        let words = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return Array(Digest(of: String(words[1])).hexadecimal.utf8)
    }

    static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}
