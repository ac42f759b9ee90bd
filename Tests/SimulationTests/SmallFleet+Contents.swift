import FleetModel
import Randomness
import Units
import Workload

extension SmallFleet {
    /// Lets pools cache prefixes, and gives them traffic with shared texts and conversations besides.
    mutating func shareContents() {
        let draw = RandomStreams(seed: seed).generator("small fleet contents")
        func choose<Value>(_ values: [Value]) -> Value { values[draw.uniform(below: values.count)] }
        for index in fleet.pools.indices {
            fleet.pools[index].batcher.prefixCaching = choose([true, true, false])
            let pool = fleet.pools[index]
            fleet.sources.append(
                TrafficSource(
                    name: "\(pool.id)-contents", pool: pool.id,
                    tenants: fleet.tenants.indices.map { TenantShare(tenant: $0, share: 1) },
                    sloClass: draw.uniform(below: fleet.sloClasses.count), arrivals: choose([.poisson, .gamma(cv: 3)]),
                    rate: .constant(choose([0.1, 0.3, 0.8])),
                    promptTokens: LengthDistribution(
                        .geometric(mean: choose([4, 12])), maximum: pool.batcher.maxContext),
                    outputTokens: LengthDistribution(.geometric(mean: choose([2, 8])), maximum: 30),
                    sharedPrefix: choose([
                        nil, SharedPrefix(tokens: choose([2, 8]), variants: choose([1, 3]), zipf: choose([0, 1])),
                    ]),
                    sessions: choose([
                        nil, Sessions(turns: choose([1, 3]), thinkTime: .seconds(choose([1, 8]))),
                    ])))
        }
    }
}
