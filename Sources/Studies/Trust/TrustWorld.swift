import EngineModel
import FleetModel
import Pricing
import Randomness
import Scaling
import Serving
import Simulation
import Units
import Workload

#if canImport(Glibc)
    import Glibc
#endif

/// A small random world in which intervals are put to the test: one pool that a policy resizes, one kind of traffic.
///
/// What is drawn: the engine's step times and their noise, the sequences a replica runs, prompts and answers, arrivals
/// from Poisson to bursts, a load of three to seven replicas, the policy and how eager it is, cold starts and targets. The
/// time is scaled to the load, so that a run has a few hundred requests whatever was drawn.
public struct TrustWorld: Sendable {
    public var scenario: Scenario
    public var policy: PolicyChoice { scenario.policies[0] }

    /// Requests expected in a run.
    static let requests = 700.0...1400.0

    /// World number `index` of the prior that `seed` opens.
    public init(seed: UInt64, index: Int) {
        let draw = RandomStreams(seed: seed).generator("trust-world")
        draw.seek(to: index)
        func uniform(_ range: ClosedRange<Double>) -> Double {
            range.lowerBound + (range.upperBound - range.lowerBound) * draw.uniform()
        }
        func logUniform(_ range: ClosedRange<Double>) -> Double {
            exp(uniform(log(range.lowerBound)...log(range.upperBound)))
        }

        let constant = logUniform(30e6...150e6)
        let perSequence = constant * uniform(0.02...0.08)
        let perPrefillToken = logUniform(30e3...200e3)
        let stepTime = StepTimeCoefficients(
            decode: .init(constant: constant, perSequence: perSequence, perContextToken: constant * 1e-5),
            mixed: .init(
                constant: constant * uniform(1...1.3), perPrefillToken: perPrefillToken,
                perContextToken: constant * 1e-5, perSequence: perSequence))
        let noise = uniform(0...0.1)
        let sequences = [4, 8, 16][draw.uniform(below: 3)]
        let promptMedian = logUniform(100...800)
        let prompt = LengthDistribution(
            .lognormal(p50: promptMedian, p99: promptMedian * uniform(2...4)), maximum: 4000)
        let outputMean = logUniform(4...14)
        let output = LengthDistribution(.geometric(mean: outputMean), maximum: 200)

        // A full replica's requests per second, roughly: what sets rate, time and targets to scale.
        let step = (constant + perSequence * Double(sequences)) / 1e9
        let prefill = promptMedian * perPrefillToken / 1e9
        let capacity = 1 / (prefill + outputMean * step / Double(sequences))
        let load = uniform(3...7)
        let rate = capacity * load * uniform(0.5...0.75)
        let requests = uniform(Self.requests)
        let duration = TimeSpan.seconds(Int64(max(30, requests / rate)))
        let tick = TimeSpan.estimate(seconds: duration.seconds / uniform(120...240))
        let arrivals: ArrivalProcess =
            switch draw.uniform(below: 3) {
            case 0: .poisson
            case 1: .gamma(cv: uniform(1...1.6))
            default: .weibull(cv: uniform(1...1.6))
            }
        let shape = (0..<4).map { _ in rate * uniform(0.7...1.3) }
        let profile: RateProfile =
            draw.uniform() < 0.5
            ? .constant(rate)
            : .linear(every: TimeSpan(nanoseconds: duration.nanoseconds / 4), values: shape)
        let unloaded = constant / 1e9 + prefill
        let promise = SLOClass(
            name: "all", ttft: .estimate(seconds: unloaded * logUniform(1.5...6)),
            tpot: .estimate(seconds: step * uniform(0.9...1.8)), attainment: 0.95)
        let coldStart = TimeSpan.estimate(seconds: tick.seconds * uniform(1...5))
        scenario = Scenario(
            name: "world-\(index)", question: "Does the interval cover the truth?",
            seed: RandomStreams(seed: seed).number("trust-traffic", index), start: .epoch, duration: duration,
            tenants: [Tenant(name: "all")], sloClasses: [promise],
            sources: [
                TrafficSource(
                    name: "traffic", pool: Self.pool, tenants: [TenantShare(tenant: 0, share: 1)], arrivals: arrivals,
                    rate: profile, promptTokens: prompt, outputTokens: output)
            ],
            traces: [],
            pools: [
                PoolConfiguration(
                    id: Self.pool, profile: Self.profile(stepTime, noise: noise),
                    batcher: BatcherConfiguration(
                        maxBatchedTokens: 2048, maxSequences: sequences, totalBlocks: 4096, maxContext: 8192),
                    offering: Self.offering, replicasPerInstance: 1,
                    coldStart: ColdStart(provision: coldStart, pull: .zero, load: .zero, warmUp: .zero),
                    bounds: ReplicaBounds(minimum: 1, maximum: 14), initialReplicas: Int(load.rounded(.up)),
                    router: .leastOutstanding, maxWaitingPerReplica: 1_000_000, drainDeadline: .hours(1))
            ],
            control: ControlConfiguration(
                tick: tick, scrape: tick, window: tick * 4, staleness: tick * 4),
            policies: [Self.policy(draw.uniform(below: 2), sequences: sequences, tick: tick, u: draw.uniform())],
            priceBook: PriceBook(prices: [
                Price(
                    offering: Self.offering, rate: USDPerHour(nanodollars: 10_000_000_000), accelerators: 1,
                    billing: BillingRule(increment: .seconds(1), minimum: .zero), source: "none", date: "2026-01-01")
            ]), allocation: AllocationWeights(), files: [])
    }

    private static let pool = PoolID("pool")
    private static let offering = Offering(
        provider: "none", instanceType: "server", zone: "none", capacityType: .onDemand)

    private static func policy(_ kind: Int, sequences: Int, tick: TimeSpan, u: Double) -> PolicyChoice {
        let delay = ParameterValue.text((tick * 4).description)
        return kind == 0
            ? PolicyChoice(
                label: "hpa", policy: "hpa",
                parameters: [
                    "target_per_replica": .number(Double(sequences) * (0.4 + 0.5 * u)),
                    "scale_down_stabilization": delay,
                ])
            : PolicyChoice(
                label: "queue-depth", policy: "queue-depth",
                parameters: ["target_waiting": .number(0.5 + 2 * u), "scale_in_delay": delay])
    }

    private static func profile(_ stepTime: StepTimeCoefficients, noise: Double) -> EngineProfile {
        EngineProfile(
            name: "drawn", model: "none", hardware: "none", acceleratorsPerReplica: 1, engine: "none",
            date: "2026-01-01", source: "drawn", stepTime: stepTime, noise: noise, kvTokens: 65_536, maxContext: 8192,
            coldStart: ColdStartProfile(source: "drawn"),
            validRange: ValidRange(
                decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
    }
}
