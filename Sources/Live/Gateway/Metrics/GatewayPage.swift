/// The gateway's metrics page.
enum GatewayPage {
    static func text(of core: GatewayCore) -> String {
        let meters = core.handles.map(\.meter.snapshot)
        let state = core.state.withLock { $0 }
        var page = PrometheusPage(labels: [])
        pools(state, meters, core, into: &page)
        tenants(state, meters, core, into: &page)
        histograms(meters, core, into: &page)
        process(state, meters, core, into: &page)
        return page.text
    }

    private static func pools(
        _ state: GatewayState, _ meters: [GatewayMeter.Values], _ core: GatewayCore, into page: inout PrometheusPage
    ) {
        func each(_ value: (Int) -> UInt64) -> [(labels: [(String, String)], value: UInt64)] {
            core.configuration.pools.indices.map { ([("pool", core.configuration.pools[$0].id.name)], value($0)) }
        }
        page.counter(
            "tidegate_gateway_arrived_requests_total", "Requests that arrived, rejected ones included.",
            each { state.poolCounters[$0].requests })
        page.counter(
            "tidegate_gateway_arrived_prompt_tokens_total", "Prompt tokens of requests that arrived.",
            each { state.poolCounters[$0].promptTokens })
        page.counter(
            "tidegate_gateway_streamed_tokens_total", "Tokens of answers, counted as they came.",
            each { pool in meters.reduce(0) { $0 + $1.pools[pool].streamedTokens } })
        page.counter(
            "tidegate_gateway_rejected_requests_total", "Requests that arrived and were refused, by reason.",
            core.configuration.pools.indices.flatMap { pool in
                zip(RejectionReason.allCases, state.poolCounters[pool].rejections).map { reason, count in
                    ([("pool", core.configuration.pools[pool].id.name), ("reason", reason.rawValue)], count)
                }
            })
        page.gauge(
            "tidegate_gateway_held_requests", "Requests that wait at the gateway for a replica.",
            state.gates.map { ([("pool", $0.configuration.id.name)], Double($0.held.count)) })
        page.gauge(
            "tidegate_gateway_outstanding_requests", "Requests in the hands of replicas.",
            state.gates.map { gate in
                ([("pool", gate.configuration.id.name)], Double(gate.replicas.reduce(0) { $0 + $1.outstanding }))
            })
        page.gauge(
            "tidegate_gateway_replicas", "Replicas by what the gateway does with them.",
            state.gates.flatMap { gate in
                ["routing", "draining", "ejected"].map { state in
                    (
                        [("pool", gate.configuration.id.name), ("state", state)],
                        Double(gate.replicas.count { $0.state == state })
                    )
                }
            })
        page.counter(
            "tidegate_gateway_retries_total", "Requests tried again before their first byte.",
            each { state.poolCounters[$0].retries })
        page.counter(
            "tidegate_gateway_hedges_total", "Requests sent to a second replica beside a silent one.",
            each { state.poolCounters[$0].hedges })
    }

    private static func tenants(
        _ state: GatewayState, _ meters: [GatewayMeter.Values], _ core: GatewayCore, into page: inout PrometheusPage
    ) {
        let places = core.configuration.tenants.indices.flatMap { tenant in
            core.configuration.pools.indices.map { (tenant, $0) }
        }
        func each(_ value: (Int, Int) -> UInt64) -> [(labels: [(String, String)], value: UInt64)] {
            places.map { tenant, pool in
                (
                    [
                        ("tenant", core.configuration.tenants[tenant].name),
                        ("pool", core.configuration.pools[pool].id.name),
                    ], value(tenant, pool)
                )
            }
        }
        page.counter(
            "tidegate_gateway_tenant_arrived_requests_total",
            "Requests of a tenant that arrived, rejected ones included.",
            each { state.tenantCounters[$0][$1].requests })
        page.counter(
            "tidegate_gateway_tenant_arrived_prompt_tokens_total", "Prompt tokens of a tenant's requests that arrived.",
            each { state.tenantCounters[$0][$1].promptTokens })
        page.counter(
            "tidegate_gateway_tenant_streamed_tokens_total", "Tokens of answers to a tenant, counted as they came.",
            each { tenant, pool in meters.reduce(0) { $0 + $1.streamedTokens[tenant][pool] } })
        page.counter(
            "tidegate_gateway_tenant_rejected_requests_total", "A tenant's requests that arrived and were refused.",
            each { state.tenantCounters[$0][$1].rejections.reduce(0, +) })
        page.gauge(
            "tidegate_gateway_tenant_spent_dollars", "What a tenant was charged on this day of UTC.",
            state.accounts.map { ([("tenant", $0.terms.name)], $0.spent.dollars) })
    }

    private static func histograms(
        _ meters: [GatewayMeter.Values], _ core: GatewayCore, into page: inout PrometheusPage
    ) {
        func each(
            _ value: (GatewayMeter.Pool) -> PrometheusHistogram
        ) -> [(labels: [(String, String)], value: PrometheusHistogram)] {
            core.configuration.pools.indices.map { pool in
                var all = value(meters[0].pools[pool])
                for meter in meters.dropFirst() { all.add(value(meter.pools[pool])) }
                return ([("pool", core.configuration.pools[pool].id.name)], all)
            }
        }
        page.histogram(
            "tidegate_gateway_time_to_first_token_seconds", "From a request's arrival to its first token.",
            each(\.ttft))
        page.histogram(
            "tidegate_gateway_inter_token_latency_seconds", "Between two tokens of an answer.", each(\.itl))
        page.histogram(
            "tidegate_gateway_e2e_request_latency_seconds", "From a request's arrival to its last token.", each(\.e2e))
        page.histogram(
            "tidegate_gateway_dispatch_seconds", "From a request's arrival to when it was given to a replica.",
            each(\.overhead))
    }

    private static func process(
        _ state: GatewayState, _ meters: [GatewayMeter.Values], _ core: GatewayCore, into page: inout PrometheusPage
    ) {
        page.histogram(
            "tidegate_gateway_ledger_commit_seconds", "Seconds that a commit of the ledger took, its sync included.",
            core.commitSeconds)
        page.gauge(
            "tidegate_gateway_ledger_up", "Whether rows can be written: 1 or 0.", state.ledgerProblem == nil ? 1 : 0)
        page.gauge(
            "tidegate_gateway_connections", "Open connections by side.",
            [
                ([("side", "client")], Double(meters.reduce(0) { $0 + $1.connections })),
                ([("side", "replica")], Double(meters.reduce(0) { $0 + $1.upstreamConnections })),
            ])
        page.gauge(
            "tidegate_gateway_open_requests", "Requests from arrival to the end of their answer.", Double(state.open))
        page.counter(
            "tidegate_gateway_unauthorized_requests_total", "Requests without a known key.", core.unauthorizedRequests)
        page.counter(
            "tidegate_gateway_invalid_requests_total",
            "Requests that no pool could be found for, or that cannot be read.",
            core.invalidRequests)
        guard let spans = core.spans?.counts else { return }
        page.counter(
            "tidegate_gateway_spans_total", "Spans that the collector took, and those that were lost.",
            [([("result", "exported")], spans.exported), ([("result", "dropped")], spans.dropped)])
    }
}
