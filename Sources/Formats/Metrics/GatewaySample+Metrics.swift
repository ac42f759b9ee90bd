import Control
import FleetModel
import Units

/// A page that is no gateway's, or has not the pool that was asked for.
public struct GatewayContractError: Error, Hashable, Sendable, CustomStringConvertible {
    public var metric: String
    public var pool: PoolID

    public var description: String { "the metrics page of the gateway has no '\(metric)' for pool '\(pool)'" }
}

extension GatewaySample {
    /// Reads a pool's traffic from a gateway's metrics page. Values are as they stand; `Observer` refuses impossible ones.
    ///
    /// - Parameters:
    ///   - tenants: Only what these brought; `nil` for all of it. What waits and what was streamed is never split, because
    ///     queues have no owner.
    ///   - time: When the page was asked for: what it shows is no younger.
    /// - Throws: When a number that no decision can be made without is not there.
    public init(
        gateway page: MetricsPage, pool: PoolID, time: Instant, tenants: Set<String>? = nil
    ) throws(GatewayContractError) {
        func sum(_ name: String) throws(GatewayContractError) -> Double {
            let series = page["tidegate_gateway_\(name)"].filter { $0.labels["pool"] == pool.name }
            guard !series.isEmpty else { throw GatewayContractError(metric: "tidegate_gateway_\(name)", pool: pool) }
            return series.reduce(0) { $0 + $1.value }
        }
        func arrived(_ name: String) throws(GatewayContractError) -> Double {
            guard let tenants else { return try sum("\(name)_total") }
            let series = page["tidegate_gateway_tenant_\(name)_total"].filter {
                $0.labels["pool"] == pool.name && $0.labels["tenant"].map(tenants.contains) == true
            }
            return series.reduce(0) { $0 + $1.value }
        }
        self.init(
            pool: pool, time: time, arrivedRequests: try arrived("arrived_requests"),
            arrivedPromptTokens: try arrived("arrived_prompt_tokens"),
            streamedTokens: try sum("streamed_tokens_total"), rejectedRequests: try sum("rejected_requests_total"),
            heldRequests: try sum("held_requests"))
    }
}

extension TenantCounters {
    /// Reads what each tenant brought to a pool from a gateway's metrics page, in order of names.
    ///
    /// Values are as they stand. What a page does not have is 0, as from a gateway that knows no tenants.
    public static func all(on page: MetricsPage, pool: PoolID) -> [TenantCounters] {
        var found: [String: TenantCounters] = [:]
        func read(_ name: String, _ field: WritableKeyPath<TenantCounters, Double>) {
            for series in page["tidegate_gateway_tenant_\(name)"] {
                guard let tenant = series.labels["tenant"], series.labels["pool"] ?? pool.name == pool.name else {
                    continue
                }
                let none = TenantCounters(tenant: tenant, requests: 0, promptTokens: 0, outputTokens: 0)
                found[tenant, default: none][keyPath: field] += series.value
            }
        }
        read("arrived_requests_total", \.requests)
        read("arrived_prompt_tokens_total", \.promptTokens)
        read("streamed_tokens_total", \.outputTokens)
        read("spent_dollars", \.spent)
        return found.values.sorted { $0.tenant < $1.tenant }
    }
}
