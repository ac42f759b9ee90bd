import EngineModel
import FleetModel
import Pricing
import Serving
import Simulation
import Units
import Workload

/// One pool on cheap round numbers: a step of 10 ms and a little, replicas on machines of two, a quarter of an hour.
enum Fixture {
    static let offering = Offering(provider: "any", instanceType: "pair", zone: "z", capacityType: .onDemand)
    static let fixed = PolicyChoice(label: "static", policy: "static", parameters: [:])

    static func profile(noise: Double = 0) -> EngineProfile {
        EngineProfile(
            name: "toy", model: "none", hardware: "none", acceleratorsPerReplica: 1, engine: "none", date: "2026-01-01",
            source: "made up",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: 10e6, perSequence: 2e5, perContextToken: 11.3),
                mixed: .init(constant: 12e6, perPrefillToken: 3e4, perContextToken: 20.7)),
            noise: noise, kvTokens: 32_000, maxContext: 4_000, coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(
                decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
    }

    static func scenario(
        rate: RateProfile = .constant(4), replicas: Int = 3, bounds: ReplicaBounds? = nil, timeout: TimeSpan? = nil,
        prompt: LengthDistribution = LengthDistribution(.geometric(mean: 300), maximum: 3_000),
        output: LengthDistribution = LengthDistribution(.geometric(mean: 80), maximum: 900), noise: Double = 0,
        pricePerHour: Int64 = 7_300_000_001, maxWaiting: Int = 100, drainDeadline: TimeSpan = .minutes(2)
    ) -> Scenario {
        let pool = PoolID("toy")
        return Scenario(
            name: "toy", question: "Does the world add up?", seed: 11, start: Instant("2026-03-02T23:50:00Z")!,
            duration: .minutes(15), tenants: [Tenant(name: "a"), Tenant(name: "b")],
            sloClasses: [SLOClass(name: "all", ttft: .seconds(5), attainment: 0.9, timeout: timeout)],
            sources: [
                TrafficSource(
                    name: "chat", pool: pool,
                    tenants: [TenantShare(tenant: 0, share: 2), TenantShare(tenant: 1, share: 1)],
                    arrivals: .gamma(cv: 1.5), rate: rate, promptTokens: prompt, outputTokens: output)
            ],
            traces: [],
            pools: [
                PoolConfiguration(
                    id: pool, profile: profile(noise: noise),
                    batcher: BatcherConfiguration(
                        maxBatchedTokens: 512, maxSequences: 16, totalBlocks: 400, maxContext: 4_000),
                    offering: offering, replicasPerInstance: 2,
                    coldStart: ColdStart(
                        provision: .seconds(40), pull: .seconds(7), load: .seconds(20), warmUp: .seconds(3)),
                    bounds: bounds ?? ReplicaBounds(minimum: replicas, maximum: replicas), initialReplicas: replicas,
                    router: .leastOutstanding, maxWaitingPerReplica: maxWaiting, drainDeadline: drainDeadline)
            ],
            control: ControlConfiguration(), policies: [fixed],
            priceBook: PriceBook(prices: [
                Price(
                    offering: offering, rate: USDPerHour(nanodollars: pricePerHour), accelerators: 2,
                    billing: BillingRule(increment: .seconds(1), minimum: .minutes(1)), source: "made up",
                    date: "2026-01-01")
            ]), allocation: AllocationWeights(), files: [])
    }

    /// The pool at another level from the first control tick on.
    static func resized(to replicas: Int) -> PolicyChoice {
        PolicyChoice(label: "to \(replicas)", policy: "static", parameters: ["replicas": .number(Double(replicas))])
    }
}

extension OutcomeCounts {
    var sum: Int64 {
        completed + rejectedQueueFull + rejectedTooLong + failedTimeout + failedReplicaLost + unfinished
    }
}
