import EngineModel
import FleetModel
import Pricing
import Randomness
import Serving
import Simulation
import Units
import Workload

/// A few minutes of a small fleet with everything drawn: pools, limits, traffic, patience, promises, prices, policy.
struct RandomScenario {
    var scenario: Scenario
    var policy: PolicyChoice

    init(seed: UInt64) {
        let draw = RandomStreams(seed: seed).generator("random scenario")
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + draw.uniform(below: range.count) }
        func choose<Value>(_ values: [Value]) -> Value { values[draw.uniform(below: values.count)] }
        let tenants = pick(1...3)
        let classes = pick(1...2)
        var scenario = Fixture.scenario()
        scenario.name = "random-\(seed)"
        scenario.seed = seed
        scenario.duration = .seconds(Int64(pick(60...400)))
        scenario.tenants = (0..<tenants).map { Tenant(name: "t\($0)") }
        scenario.sloClasses = (0..<classes).map { index in
            SLOClass(
                name: "c\(index)", ttft: choose([nil, .seconds(1)]), tpot: choose([nil, .milliseconds(20)]),
                attainment: 0.9, timeout: choose([nil, .seconds(3), .seconds(40)]), priority: pick(0...1))
        }
        let template = scenario.pools[0]
        scenario.pools = (0..<pick(1...3)).map { index in
            var pool = template
            pool.id = PoolID("p\(index)")
            pool.profile = Fixture.profile(noise: choose([0, 0.1]))
            let context = choose([600, 4_000])
            let sequences = pick(1...16)
            pool.batcher = BatcherConfiguration(
                maxBatchedTokens: sequences + pick(10...600), maxSequences: sequences, blockSize: choose([1, 16]),
                totalBlocks: context + pick(0...400), maxContext: context)
            pool.replicasPerInstance = pick(1...3)
            pool.bounds = ReplicaBounds(minimum: pick(0...1), maximum: pick(2...5))
            pool.initialReplicas = pick(pool.bounds.minimum...pool.bounds.maximum)
            pool.router = choose(RouterKind.allCases)
            pool.maxWaitingPerReplica = choose([2, 50])
            pool.drainDeadline = choose([.zero, .seconds(2), .minutes(2)])
            pool.coldStart = choose([
                ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero), template.coldStart,
            ])
            return pool
        }
        scenario.sources = scenario.pools.flatMap { pool in
            (0..<pick(1...2)).map { index in
                TrafficSource(
                    name: "\(pool.id.name)-\(index)", pool: pool.id,
                    tenants: (0..<tenants).map { TenantShare(tenant: $0, share: Double(1 + $0)) },
                    sloClass: pick(0...(classes - 1)), arrivals: choose([.poisson, .gamma(cv: 3), .constant]),
                    rate: .steps(every: .seconds(45), values: [Double(pick(0...6)), Double(pick(1...12)), 0.5]),
                    promptTokens: LengthDistribution(
                        .geometric(mean: choose([20, 300, 900])), maximum: choose([3_000, 5_000])),
                    outputTokens: LengthDistribution(.geometric(mean: choose([2, 60, 200])), maximum: 900))
            }
        }
        scenario.control.tick = .seconds(Int64(choose([5, 15])))
        scenario.control.scrape = scenario.control.tick
        scenario.priceBook.prices[0].rate.nanodollars = Int64(pick(1...2_000_000_000)) * 37
        scenario.priceBook.prices[0].billing = BillingRule(
            increment: choose([.seconds(1), .hours(1)]), minimum: choose([.zero, .minutes(1)]))
        if seed % 2 == 0 { Self.shareContents(of: &scenario, seed: seed) }
        self.scenario = scenario
        policy = choose([
            PolicyChoice(label: "static", policy: "static", parameters: ["replicas": .number(Double(pick(0...5)))]),
            PolicyChoice(
                label: "hpa", policy: "hpa",
                parameters: ["target_per_replica": .number(3), "scale_down_stabilization": .text("15s")]),
            PolicyChoice(label: "queue-depth", policy: "queue-depth", parameters: [:]),
            PolicyChoice(label: "lookahead", policy: "lookahead", parameters: [:]),
        ])
    }

    /// Lets pools cache prefixes, and gives their traffic shared texts and conversations.
    private static func shareContents(of scenario: inout Scenario, seed: UInt64) {
        let draw = RandomStreams(seed: seed).generator("random contents")
        func choose<Value>(_ values: [Value]) -> Value { values[draw.uniform(below: values.count)] }
        for index in scenario.pools.indices {
            scenario.pools[index].batcher.prefixCaching = choose([true, true, false])
        }
        for index in scenario.sources.indices {
            scenario.sources[index].sharedPrefix = choose([
                nil, SharedPrefix(tokens: choose([7, 100, 400]), variants: choose([1, 5]), zipf: choose([0, 1])),
            ])
            scenario.sources[index].sessions = choose([
                nil, Sessions(turns: choose([1, 3, 8]), thinkTime: .seconds(choose([1, 20]))),
            ])
        }
    }
}
