import FleetModel
import Synchronization

/// What one event loop measures while answers go through it. A page adds the loops up.
final class GatewayMeter: Sendable {
    struct Pool: Sendable {
        var streamedTokens: UInt64 = 0
        var ttft = PrometheusHistogram(upperBounds: BucketCounts.ttftBounds)
        var itl = PrometheusHistogram(upperBounds: BucketCounts.itlBounds)
        var e2e = PrometheusHistogram(upperBounds: BucketCounts.ttftBounds)
        /// From a request's arrival, all of its body, to when it was sent on.
        var overhead = PrometheusHistogram(upperBounds: GatewayMeter.overheadBounds)
    }

    struct Values: Sendable {
        var pools: [Pool]
        /// By tenant, then pool.
        var streamedTokens: [[UInt64]]
        var connections = 0
        var upstreamConnections = 0
    }

    static let overheadBounds: [Double] = [
        0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1, 10,
    ]

    private let values: Mutex<Values>

    init(pools: Int, tenants: Int) {
        values = Mutex(
            Values(
                pools: (0..<pools).map { _ in Pool() },
                streamedTokens: (0..<tenants).map { _ in Array(repeating: 0, count: pools) }))
    }

    func update(_ body: (inout Values) -> Void) { values.withLock { body(&$0) } }
    var snapshot: Values { values.withLock { $0 } }
}
