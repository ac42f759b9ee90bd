import Formats
import Units

/// Salts of prefix hashes, one for each tenant: what one tenant's prompts left in a worker's cache no other can find.
///
/// They come from a secret that stays with the gateway's state, so that a restart loses no cached prefix.
struct CacheSalts: Sendable {
    private let byTenant: [String]

    init(secret: String, tenants: [TenantTerms]) {
        byTenant = tenants.map { String(Digest(of: "\(secret)\u{0}\($0.name)").hexadecimal.prefix(32)) }
    }

    /// A tenant's salt, and where its client gives one of its own, one of both.
    func salt(of tenant: Int, client: String?) -> String {
        guard let client, !client.isEmpty else { return byTenant[tenant] }
        return String(Digest(of: "\(byTenant[tenant])\u{0}\(client)").hexadecimal.prefix(32))
    }
}
