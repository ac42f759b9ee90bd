import EngineModel
import FleetModel
import Pricing
import Scaling
import Serving
import Simulation
import Statistics
import Units
import Workload

/// A queue whose mean wait is known exactly, played through the ordinary batcher.
///
/// One replica with room for `servers` sequences is a queue with that many servers: each sequence takes a token a step,
/// steps take a constant time, prompts cost nothing, and the number of output tokens is the service time. A geometric
/// number of short steps is close to an exponential time (its squared coefficient of variation is 1 − 1/mean), a fixed
/// number is a constant one. An arrival waits for the end of the step under way, half a step in the mean, which
/// with `tokens` steps a service is 1/(2·tokens) of it.
public struct QueueingCase: Hashable, Sendable {
    public enum Service: Hashable, Sendable { case exponential, constant }

    /// Kendall's notation, such as `M/M/4`.
    public var name: String
    public var service: Service
    public var servers: Int
    /// Offered load over servers. Range: above 0, below 1.
    public var load: Double

    public init(name: String, service: Service, servers: Int, load: Double) {
        self.name = name
        self.service = service
        self.servers = servers
        self.load = load
    }

    /// M/M/1, M/M/4 and M/D/1 at loads 0.5 and 0.8.
    public static let all = [
        ("M/M/1", Service.exponential, 1), ("M/M/4", .exponential, 4), ("M/D/1", .constant, 1),
    ].flatMap { name, service, servers in
        [0.5, 0.8].map { QueueingCase(name: name, service: service, servers: servers, load: $0) }
    }

    /// Mean output tokens, so mean steps of a service. The error of the step grid shrinks with it, at no cost,
    /// because a run of equal steps is one event.
    static let tokens = 20_000
    static let step = TimeSpan(nanoseconds: 50_000)
    static var meanService: Double { Double(tokens) * step.seconds }
    var arrivalRate: Double { load * Double(servers) / Self.meanService }

    /// The mean wait in the queue, in seconds.
    ///
    /// - Source: Gross, Shortle, Thompson, Harris, *Fundamentals of Queueing Theory*, 4th ed., §2.3 (Erlang C) and
    ///   §5.1 (Pollaczek–Khinchine).
    public var exactWait: Double {
        switch service {
        case .exponential: meanWaitMMc(arrivalRate: arrivalRate, meanService: Self.meanService, servers: servers)
        case .constant: meanWaitMG1(arrivalRate: arrivalRate, meanService: Self.meanService, squaredCV: 0)
        }
    }
}

/// One case against its closed form.
public struct QueueingOutcome: Hashable, Sendable {
    public var queue: QueueingCase
    /// Mean wait over replications, in seconds, with the simulator's own 99 % interval.
    public var wait: ConfidenceInterval
    /// Whether Little's law held to the nanosecond in every replication.
    public var isLittleExact: Bool

    public var isCovered: Bool { wait.contains(queue.exactWait) }
    /// Half the interval's width over the exact wait.
    public var relativeHalfWidth: Double { wait.halfWidth / queue.exactWait }
}

/// Plays a case: `replications` independent runs of `requests` each, all from an empty queue.
///
/// - Parameters:
///   - seed: Another seed gives another, independent interval.
///   - requests: Expected arrivals of a run. The empty start biases the mean wait by the order of one over it.
public func play(
    _ queue: QueueingCase, seed: UInt64, replications: Int = 20, requests: Int, workers: Int
) async throws -> QueueingOutcome {
    let scenario = queue.scenario(seed: seed, requests: requests)
    let plans = (0..<replications).map {
        RunPlan(policy: scenario.policies[0], options: RunOptions(replication: $0))
    }
    let runs = try await runAll(plans, of: scenario, workers: workers)
    let waits = runs.map { Double($0.queueWait.sum) / 1e9 / Double($0.queueWait.count) }
    return QueueingOutcome(
        queue: queue, wait: ConfidenceInterval.student(waits, level: 0.99)!,
        isLittleExact: runs.allSatisfy { $0.requestNanoseconds == $0.sojournNanoseconds })
}

extension QueueingCase {
    /// The case as an ordinary scenario: one replica that is never resized.
    func scenario(seed: UInt64, requests: Int) -> Scenario {
        let pool = PoolID("queue")
        let step = Double(Self.step.nanoseconds)
        let profile = EngineProfile(
            name: "constant step", model: "none", hardware: "none", acceleratorsPerReplica: 1, engine: "none",
            date: "2026-01-01", source: "queueing theory",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: step, perSequence: 0, perContextToken: 0),
                mixed: .init(constant: step, perPrefillToken: 0)),
            noise: 0, kvTokens: 1 << 40, maxContext: 1 << 30, coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(
                decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "exact"
            ),
            notes: [])
        let offering = Offering(provider: "none", instanceType: "server", zone: "none", capacityType: .onDemand)
        return Scenario(
            name: name, question: "Does the simulator agree with queueing theory?", seed: seed, start: .epoch,
            duration: .estimate(seconds: Double(requests) / arrivalRate), tenants: [Tenant(name: "all")],
            sloClasses: [SLOClass(name: "all")],
            sources: [
                TrafficSource(
                    name: "arrivals", pool: pool, tenants: [TenantShare(tenant: 0, share: 1)], sloClass: 0,
                    arrivals: .poisson, rate: .constant(arrivalRate), promptTokens: LengthDistribution(.fixed(1)),
                    outputTokens: LengthDistribution(
                        service == .constant ? .fixed(Self.tokens) : .geometric(mean: Double(Self.tokens))))
            ],
            traces: [],
            pools: [
                PoolConfiguration(
                    id: pool, profile: profile,
                    batcher: BatcherConfiguration(
                        maxBatchedTokens: max(2048, servers), maxSequences: servers, totalBlocks: 1 << 36,
                        maxContext: 1 << 30),
                    offering: offering, replicasPerInstance: 1,
                    coldStart: ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero),
                    bounds: ReplicaBounds(minimum: 1, maximum: 1), initialReplicas: 1, router: .roundRobin,
                    maxWaitingPerReplica: .max, drainDeadline: .zero)
            ],
            control: ControlConfiguration(
                tick: .hours(24), scrape: .hours(24), window: .hours(24), staleness: .hours(48)),
            policies: [PolicyChoice(label: "static", policy: "static", parameters: [:])],
            priceBook: PriceBook(prices: [
                Price(
                    offering: offering, rate: USDPerHour(nanodollars: 1_000_000_000), accelerators: 1,
                    billing: BillingRule(increment: .seconds(1), minimum: .zero), source: "none", date: "2026-01-01")
            ]), allocation: AllocationWeights(), files: [])
    }
}

extension QueueingCase {
    /// Requests of one of twenty runs that make the interval's half-width 2.8 % of the wait: its variance grows as the
    /// load comes near 1, and with more servers fewer requests wait at all.
    public var requestsPerRun: Int {
        switch (service, servers, load > 0.6) {
        case (.exponential, 1, true): 64_000
        case (.exponential, _, true): 104_000
        case (.exponential, 1, false): 15_000
        case (.exponential, _, false): 61_000
        case (.constant, _, true): 31_000
        case (.constant, _, false): 7_000
        }
    }
}
