import FleetModel
import Randomness
import Units

@testable import Workload

let midnight = Instant("2026-03-02")!

/// Traffic with everything ordinary but what a test names.
func source(
    _ name: String = "chat", arrivals: ArrivalProcess = .poisson, rate: RateProfile = .constant(10),
    prompt: LengthDistribution = .fixed(100), output: LengthDistribution = .fixed(10),
    tenants: [TenantShare] = [TenantShare(tenant: 0, share: 1)]
) -> TrafficSource {
    TrafficSource(
        name: name, pool: PoolID("pool"), tenants: tenants, arrivals: arrivals, rate: rate, promptTokens: prompt,
        outputTokens: output)
}

/// A trace of one tenant.
func trace(_ records: [TraceRecord], name: String = "trace", speed: Double = 1) -> TraceTraffic {
    TraceTraffic(
        name: name, pool: PoolID("pool"), tenants: [TenantShare(tenant: 0, share: 1)], records: records, speed: speed)
}

/// All requests of a run, in order.
func requests(
    _ sources: [TrafficSource], traces: [TraceTraffic] = [], seed: UInt64 = 1, duration: TimeSpan = .minutes(10)
) -> [RoutedArrival] {
    var stream = ArrivalStream(
        sources: sources, traces: traces, streams: RandomStreams(seed: seed), start: midnight, duration: duration)
    var all: [RoutedArrival] = []
    while let next = stream.next() { all.append(next) }
    return all
}

extension RoutedArrival {
    /// Seconds since the start of the run.
    var seconds: Double { (arrival.time - midnight).seconds }
}
