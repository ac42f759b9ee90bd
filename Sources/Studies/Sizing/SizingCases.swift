import EngineModel
import FleetModel
import Pricing
import Randomness
import Scaling
import Serving
import Simulation
import Units
import Workload

/// Small sizing problems that an exhaustive search can still solve, to measure what the search misses and saves.
public enum SizingCases {
    /// A quarter of an hour of traffic whose rate, burstiness, lengths, promise, engine and prices are drawn from `seed`:
    /// one or two pools, sometimes with a second offering, and two or three policies with their grids.
    public static func scenario(seed: UInt64) -> Scenario {
        var draw = Draw(RandomStreams(seed: seed).generator("sizing-case"))
        let poolCount = draw.chance(0.15) ? 2 : 1
        let ids = ["one", "two"].prefix(poolCount).map { PoolID($0) }
        var prices: [Price] = []
        var ways: [[PoolAlternative]] = []
        let sequences = draw.pick([4, 6, 8])
        let maximum = poolCount == 2 ? 5 : draw.pick([8, 12, 16])
        for id in ids {
            let slots = draw.pick([1, 1, 2])
            let profile = profile(step: draw.between(150e6, 300e6))
            let rate = draw.between(1, 9)
            prices.append(price(of: "\(id.name)-a", slots: slots, rate: rate, per: draw.pick([1, 1, 3600])))
            let pool = pool(
                id, profile, on: prices.last!, sequences: sequences, maximum: maximum,
                start: .seconds(Int64(draw.between(5, 40))))
            ways.append([PoolAlternative(configuration: pool)])
            if draw.chance(0.2) {
                // A faster engine on a dearer machine.
                let speed = draw.between(1.2, 2)
                let fast = self.profile(step: profile.stepTime.decode.constant / speed)
                prices.append(
                    price(of: "\(id.name)-b", slots: slots, rate: rate * speed * draw.between(0.7, 1.3), per: 1))
                var other = pool
                other.profile = fast
                other.offering = prices.last!.offering
                ways[ways.count - 1].append(PoolAlternative(name: "b", configuration: other))
            }
        }
        let promise = SLOClass(
            name: "all", ttft: .milliseconds(Int64(draw.between(1500, 10_000))),
            attainment: draw.pick([0.8, 0.9, 0.95]), timeout: .seconds(60))
        let sources = ids.map { id in
            TrafficSource(
                name: id.name, pool: id, tenants: [TenantShare(tenant: 0, share: 1)], arrivals: draw.arrivals(),
                rate: .steps(every: .minutes(3), values: draw.rates(peak: Double(sequences) * 0.5)),
                promptTokens: LengthDistribution(.geometric(mean: 200), maximum: 2000),
                outputTokens: LengthDistribution(.geometric(mean: draw.between(15, 40)), maximum: 400))
        }
        return Scenario(
            name: "sizing-case", question: "Does the search find what trying everything finds?", seed: seed,
            start: Instant("2026-03-02T08:50:00Z")!, duration: .minutes(15), tenants: [Tenant(name: "all")],
            sloClasses: [promise], sources: sources, traces: [], pools: ways.map { $0[0].configuration },
            control: ControlConfiguration(),
            policies: (draw.chance(0.5) ? ["lookahead", "hpa"] : ["hpa", "queue-depth", "lookahead"]).map {
                PolicyChoice(label: $0, policy: $0, parameters: [:])
            },
            priceBook: PriceBook(prices: prices), allocation: AllocationWeights(), files: [],
            sizing: SizingSpace(pools: ways))
    }

    private static func pool(
        _ id: PoolID, _ profile: EngineProfile, on price: Price, sequences: Int, maximum: Int, start: TimeSpan
    ) -> PoolConfiguration {
        PoolConfiguration(
            id: id, profile: profile,
            batcher: BatcherConfiguration(
                maxBatchedTokens: 1024, maxSequences: sequences, totalBlocks: 2000, maxContext: 4000),
            offering: price.offering, replicasPerInstance: price.accelerators,
            coldStart: ColdStart(provision: start, pull: .zero, load: .seconds(10), warmUp: .seconds(5)),
            bounds: ReplicaBounds(minimum: 1, maximum: maximum), initialReplicas: 2, router: .leastOutstanding,
            maxWaitingPerReplica: 50, drainDeadline: .minutes(1))
    }

    private static func price(of instance: String, slots: Int, rate: Double, per seconds: Int64) -> Price {
        Price(
            offering: Offering(provider: "any", instanceType: instance, zone: "z", capacityType: .onDemand),
            rate: USDPerHour(nanodollars: Int64(rate * 1000) * 1_000_000), accelerators: slots,
            billing: BillingRule(increment: .seconds(seconds), minimum: .zero), source: "drawn", date: "2026-01-01")
    }

    private static func profile(step: Double) -> EngineProfile {
        EngineProfile(
            name: "drawn", model: "none", hardware: "none", acceleratorsPerReplica: 1, engine: "none",
            date: "2026-01-01", source: "drawn",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: step, perSequence: step / 50, perContextToken: 0),
                mixed: .init(constant: step * 1.2, perPrefillToken: step / 1000)),
            noise: 0.02, kvTokens: 32_000, maxContext: 4000, coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(
                decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
    }
}

/// What a case is drawn with.
private struct Draw {
    private let generator: RandomGenerator

    init(_ generator: RandomGenerator) { self.generator = generator }

    mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * generator.uniform() }
    mutating func chance(_ probability: Double) -> Bool { generator.uniform() < probability }
    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[min(values.count - 1, Int(generator.uniform() * Double(values.count)))]
    }
    /// Five spells, one or two of which are busy.
    mutating func rates(peak: Double) -> [Double] {
        let busy = [pick([0, 1, 2, 3, 4]), pick([0, 1, 2, 3, 4])]
        return (0..<5).map { peak * (busy.contains($0) ? between(0.6, 1) : between(0.05, 0.4)) }
    }
    mutating func arrivals() -> ArrivalProcess { chance(0.5) ? .poisson : .gamma(cv: between(1.1, 2.5)) }
}
