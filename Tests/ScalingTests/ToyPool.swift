import EngineModel
import FleetModel
import Scaling
import Units

/// A pool as a fluid: requests arrive at a rate, each ready replica serves at its own, the rest waits.
///
/// Enough of a world to close the loop around a policy; what it costs and how it feels is for the simulator.
struct ToyPool {
    static let id = PoolID("chat")
    static let tick = TimeSpan.seconds(15)
    static let price = USDPerHour("12.00")!

    let coldStart: TimeSpan
    let bounds: ReplicaBounds
    /// Requests per second that a ready replica serves.
    let service: Double
    var ready: Int
    var starting: [Instant] = []
    var target: Int
    var now = Instant.epoch
    private(set) var queue = 0.0
    private var arrivals: [Double] = []
    private var noise: Noise

    init(coldStart: TimeSpan, bounds: ReplicaBounds, service: Double, ready: Int, seed: UInt64 = 1) {
        self.coldStart = coldStart
        self.bounds = bounds
        self.service = service
        self.ready = ready
        target = ready
        noise = Noise(state: seed)
    }

    /// One tick at `rate` requests per second, Poisson-like, and what a policy would see at its end.
    mutating func advance(rate: Double) -> FleetObservation {
        now += Self.tick
        let time = now
        ready += starting.filter { $0 <= time }.count
        starting.removeAll { $0 <= time }
        let mean = rate * Self.tick.seconds
        let arrived = max(0, (mean + noise.normal() * mean.squareRoot()).rounded())
        arrivals.append(arrived)
        if arrivals.count > 4 { arrivals.removeFirst() }
        let capacity = Double(ready) * service * Self.tick.seconds
        let served = min(queue + arrived, capacity)
        queue += arrived - served
        let busy = capacity > 0 ? served / capacity : 0
        return FleetObservation(time: now, pools: [observation(running: 20 * busy * Double(ready))])
    }

    private func observation(running: Double) -> PoolObservation {
        let requests = arrivals.reduce(0, +)
        return PoolObservation(
            pool: Self.id, ready: ready, starting: starting.count, draining: 0, target: target, bounds: bounds,
            offered: arrivals.count < 4
                ? nil
                : OfferedTraffic(
                    window: .seconds(60), requests: requests, promptTokens: requests, outputTokens: requests * 100),
            queueDepth: queue, runningSequences: ready > 0 ? running : nil, kvUtilization: 0.5, sampleAge: .zero,
            missingReplicas: 0, offerings: [Self.offering(coldStart: coldStart)])
    }

    static func offering(coldStart: TimeSpan) -> OfferingObservation {
        OfferingObservation(
            offering: Offering(provider: "test", instanceType: "gpu", zone: "a", capacityType: .onDemand),
            price: price, replicasPerInstance: 1, available: true, expectedColdStart: coldStart)
    }

    /// Moves towards a level: new replicas take the cold start, removed ones are gone at once, starting ones first.
    mutating func apply(_ decision: ScalingDecision) {
        guard case .resize(let targets) = decision.action else { return }
        target = targets[0].replicas
        while ready + starting.count < target { starting.append(now + coldStart) }
        while ready + starting.count > target { if starting.popLast() == nil { ready -= 1 } }
    }

    /// An engine whose replicas carry about `servers` / 2 requests per second: 100 tokens at 20 ms, free prefill.
    static func engine(servers: Int64) -> PoolModel {
        PoolModel(
            stepTime: StepTimeCoefficients(
                decode: .init(constant: 20e6, perSequence: 0, perContextToken: 0),
                mixed: .init(constant: 20e6, perPrefillToken: 0)),
            limits: ReplicaLimits(kvTokens: 10_000_000, maxSequences: servers, maxBatchedTokens: 8192),
            ttft: .seconds(2), tpot: .milliseconds(50))
    }

    /// What a lookahead policy without margin on the batch believes a replica of that engine to carry.
    static func lookahead(servers: Int64 = 20, _ change: (inout LookaheadParameters) -> Void = { _ in })
        -> LookaheadPolicy
    {
        var parameters = LookaheadParameters(
            deviations: 0, assumedPromptTokens: 1, assumedOutputTokens: 100, engines: ["chat": engine(servers: servers)]
        )
        change(&parameters)
        return LookaheadPolicy(parameters: parameters)
    }
}

/// A small generator for tests: SplitMix64, and a normal variate as a sum of twelve uniform ones.
struct Noise {
    var state: UInt64

    mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) / 9_007_199_254_740_992
    }

    mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }
}

extension ScalingDecision {
    /// The level wanted for the only pool, if it is to change.
    var level: Int? {
        guard case .resize(let targets) = action else { return nil }
        return targets[0].replicas
    }

    var hold: HoldReason? {
        guard case .hold(let reason) = action else { return nil }
        return reason
    }
}
