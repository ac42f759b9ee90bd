import EngineModel
import FleetModel
import Pricing
import Serving
import Simulation
import Units
import Workload

// The event kernel without files, reports or Foundation, so that valgrind can count what it executes and allocates.
//
//     KernelBench world REQUESTS POOLS    one run: POOLS pools of long-context traffic on 54 replicas each
//     KernelBench loop REQUESTS POOLS     the same without a scrape or a decision before the end
//     KernelBench hold PENDING EVENTS     the timers alone: each event sets its timer to a later time

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count == 3, let first = Int64(arguments[arguments.startIndex + 1]),
    let second = Int(arguments[arguments.startIndex + 2])
else {
    print("usage: KernelBench world|loop REQUESTS POOLS | hold PENDING EVENTS")
    throw Usage()
}
switch arguments[arguments.startIndex] {
case "world": try playWorld(requests: first, pools: second, tick: .minutes(1))
case "loop": try playWorld(requests: first, pools: second, tick: .hours(24 * 365))
case "hold": hold(pending: Int(first), events: second)
default: throw Usage()
}

struct Usage: Error {}

func playWorld(requests: Int64, pools: Int, tick: TimeSpan) throws {
    let result = try Simulation.run(
        longContext(requests: requests, pools: pools, tick: tick),
        policy: PolicyChoice(label: "static", policy: "static", parameters: [:]),
        options: RunOptions(threads: pools > 1 ? 2 : 1))
    print(
        """
        \(result.outcomes.completed) of \(result.outcomes.arrived) requests, \(result.pools.reduce(0) { $0 + ($1.steps ?? 0) }) \
        steps, mean TTFT \(result.ttft.mean?.milliseconds ?? 0) ms, TPOT \(result.tpot.mean?.milliseconds ?? 0) ms, \
        fingerprint \(result.fingerprint)
        """)
}

func longContext(requests: Int64, pools count: Int, tick: TimeSpan) -> Scenario {
    let offering = Offering(provider: "any", instanceType: "octet", zone: "z", capacityType: .onDemand)
    let rate = 18.0
    let ids = (0..<count).map { PoolID("pool-\($0)") }
    return Scenario(
        name: "kernel", question: "How fast is the kernel?", seed: 1, start: Instant("2026-03-02T00:00:00Z")!,
        duration: TimeSpan(nanoseconds: Int64(Double(requests) / rate / Double(count)) * 1_000_000_000),
        tenants: [Tenant(name: "a")],
        sloClasses: [SLOClass(name: "all", ttft: .seconds(10), tpot: .milliseconds(250), attainment: 0.9)],
        sources: ids.map {
            TrafficSource(
                name: $0.name, pool: $0, tenants: [TenantShare(tenant: 0, share: 1)], rate: .constant(rate),
                promptTokens: LengthDistribution(.normal(mean: 8_000, deviation: 1_600), minimum: 100, maximum: 12_000),
                outputTokens: LengthDistribution(
                    .lognormalMoments(mean: 1_000, deviation: 500), minimum: 10, maximum: 4_000))
        },
        traces: [],
        pools: ids.map { id in
            PoolConfiguration(
                id: id, profile: profile,
                batcher: BatcherConfiguration(
                    maxBatchedTokens: 2_048, maxSequences: 40, totalBlocks: 28_619, maxContext: 16_384),
                offering: offering, replicasPerInstance: 2,
                coldStart: ColdStart(
                    provision: .minutes(3), pull: .minutes(1), load: .minutes(1), warmUp: .seconds(145)),
                bounds: ReplicaBounds(minimum: 54, maximum: 54), initialReplicas: 54, router: .leastOutstanding,
                maxWaitingPerReplica: 1_000, drainDeadline: .minutes(5))
        },
        control: ControlConfiguration(
            tick: tick, scrape: TimeSpan(nanoseconds: tick.nanoseconds / 2), window: tick * 2, staleness: tick * 2),
        policies: [],
        priceBook: PriceBook(prices: [
            Price(
                offering: offering, rate: USDPerHour(nanodollars: 55_040_000_000), accelerators: 8,
                billing: BillingRule(increment: .seconds(1), minimum: .minutes(1)), source: "made up",
                date: "2026-01-01")
        ]), allocation: AllocationWeights(), files: [])
}

/// Jones' hold model: the earliest timer goes off and is set again, a pseudo-random time later.
func hold(pending: Int, events: Int) {
    var timers = LeastKeyTree()
    var state: UInt64 = 88_172_645_463_325_252
    func later() -> Int64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int64(state >> 44)
    }
    for place in 0..<pending { timers.set(place, to: later()) }
    for _ in 0..<events { timers.set(timers.first, to: timers.leastKey + later()) }
    print("\(events) holds, now \(timers.leastKey)")
}
