import Control
import EngineModel
import FleetModel
import Pricing
import Randomness
import Scaling
import Serving
import Units
import Workload

@testable import Simulation

/// A fleet with a few requests, drawn from a seed with every feature: something that two worlds can play, and that can
/// be made smaller.
///
/// Steps take a good part of a second, so that a few hundred of them fill the minutes in which policies and guards act.
struct SmallFleet {
    struct Request: Hashable {
        var pool: PoolID
        var tenant: Int
        var sloClass: Int
        var offset: TimeSpan
        var prompt: Int32
        var output: Int32
    }

    let seed: UInt64
    /// Everything but its traffic.
    var fleet: Scenario
    var policy: PolicyChoice
    /// Whether another policy than that decides, one that wants any level at any tick.
    var isWhimsical: Bool
    var limits: GuardLimits
    var requests: [Request]
    var plantFactor: Double
    /// The control tick after which the run is stopped.
    var stopAfter: Int?

    /// The fleet with its traffic, as traces: each request comes at its nanosecond.
    var scenario: Scenario {
        var scenario = fleet
        for pool in fleet.pools {
            for tenant in fleet.tenants.indices {
                for sloClass in fleet.sloClasses.indices {
                    let own = requests.filter { $0.pool == pool.id && $0.tenant == tenant && $0.sloClass == sloClass }
                    guard !own.isEmpty else { continue }
                    scenario.traces.append(
                        TraceTraffic(
                            name: "\(pool.id)-\(tenant)-\(sloClass)", pool: pool.id,
                            tenants: [TenantShare(tenant: tenant, share: 1)], sloClass: sloClass,
                            records: own.sorted { $0.offset < $1.offset }.map {
                                TraceRecord(offset: $0.offset, promptTokens: $0.prompt, outputTokens: $0.output)
                            }))
                }
            }
        }
        return scenario
    }
}

// MARK: - Drawing

extension SmallFleet {
    init(seed: UInt64) {
        self.seed = seed
        let draw = RandomStreams(seed: seed).generator("small fleet")
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + draw.uniform(below: range.count) }
        func choose<Value>(_ values: [Value]) -> Value { values[draw.uniform(below: values.count)] }
        // In a round world all happens at multiples of 50 ms, so that much of it happens in the same nanosecond.
        let isRound = pick(0...2) == 0
        // In a crowded world all replicas are at work when some must go, so that machines empty unevenly.
        let isCrowded = pick(0...5) == 0
        func span(_ seconds: ClosedRange<Int>) -> TimeSpan {
            let least = Int64(seconds.lowerBound) * 1_000_000_000
            let span = least + Int64(draw.uniform() * Double(Int64(seconds.upperBound) * 1_000_000_000 - least))
            return TimeSpan(nanoseconds: isRound ? span / 50_000_000 * 50_000_000 : span)
        }

        var fleet = Fixture.scenario()
        fleet.name = "small-\(seed)"
        fleet.seed = seed
        // A few runs end before the first tick, or at it.
        fleet.duration = pick(0...29) == 0 ? choose([span(2...12), .seconds(5)]) : span(40...130)
        // Some runs cross a full hour, where a charge period ends.
        fleet.start = Instant("2026-03-02T23:00:00Z")! - choose([.zero, span(1...70), .minutes(20)])
        fleet.tenants = (0..<pick(1...2)).map { Tenant(name: "t\($0)") }
        fleet.sloClasses = (0..<pick(1...3)).map { index in
            SLOClass(
                name: "c\(index)", ttft: choose([nil, .seconds(2)]), tpot: choose([nil, .milliseconds(300)]),
                e2e: choose([nil, .seconds(20)]), attainment: 0.9,
                timeout: choose([nil, nil, span(1...4), span(5...40)]), priority: pick(0...2))
        }
        fleet.sources = []
        fleet.control.tick = choose([.seconds(5), .seconds(7), .milliseconds(9_950)])
        fleet.control.scrape = choose([fleet.control.tick, .milliseconds(2_500), .milliseconds(3_350)])
        fleet.control.window = choose([.seconds(10), .seconds(30)])
        fleet.control.staleness = choose([.seconds(15), .seconds(45)])
        fleet.priceBook.prices[0].rate.nanodollars = Int64(pick(1...2_000_000_000)) * 37
        fleet.priceBook.prices[0].billing = BillingRule(
            increment: choose([.seconds(1), .hours(1)]), minimum: choose([.zero, .minutes(1)]))
        let ceiling = USDPerHour(nanodollars: fleet.priceBook.prices[0].rate.nanodollars * 3)
        limits = GuardLimits(
            maximumAdded: choose([nil, nil, 1]), maximumRemoved: choose([nil, nil, 1]),
            scaleInStabilization: choose([.zero, .zero, .seconds(15)]), maximumDraining: choose([nil, nil, 1]),
            spendingCeiling: choose([nil, nil, nil, ceiling]), staleness: fleet.control.staleness,
            restartWindow: choose([.zero, .seconds(20)]))
        let template = fleet.pools[0]
        fleet.pools = (0..<choose([1, 1, 2, 3])).map { index in
            var pool = template
            pool.id = PoolID("p\(index)")
            pool.profile = Fixture.profile(noise: isRound ? 0 : choose([0, 0.2]))
            // Fractions of a nanosecond, but for round worlds, where every step takes the same time.
            func cost(_ largest: Double) -> Double { isRound ? 0 : draw.uniform() * largest }
            let constant = isRound ? 1e8 * Double(pick(1...6)) : 5e7 + draw.uniform() * 5e8
            pool.profile.stepTime = StepTimeCoefficients(
                decode: .init(
                    constant: constant, perSequence: cost(3e7), perContextToken: cost(1e6),
                    perSequenceBeyondHinge: cost(1e7), hingeSequences: 2),
                mixed: .init(
                    constant: isRound ? constant : 5e7 + draw.uniform() * 5e8, perPrefillToken: cost(1e7),
                    perTokenBeyondFirstHinge: cost(3e6), firstHinge: 20, perContextToken: cost(1e6),
                    perPrefillArea: cost(1e5), perPrefillContextToken: cost(1e5), perSequence: cost(2e7)),
                hostOverhead: cost(1e7))
            let maxSequences = pick(1...6)
            let blockSize = choose([1, 2, 4, 16])
            let maxContext = choose([12, 40, 90])
            pool.batcher = BatcherConfiguration(
                maxBatchedTokens: maxSequences + pick(0...(maxContext / 2)), maxSequences: maxSequences,
                blockSize: blockSize,
                totalBlocks: (maxContext + blockSize - 1) / blockSize + pick(0...(maxContext / blockSize)),
                maxContext: maxContext)
            pool.replicasPerInstance = choose([1, 2, 2, 3])
            pool.bounds = ReplicaBounds(minimum: pick(0...1), maximum: pick(2...6))
            pool.initialReplicas = pick(pool.bounds.minimum...pool.bounds.maximum)
            pool.router = choose(RouterKind.allCases)
            pool.maxWaitingPerReplica = choose([1, 3, 20])
            pool.drainDeadline = choose([.zero, span(0...2), .minutes(2)])
            if isCrowded {
                pool.batcher.maxSequences = 1
                pool.replicasPerInstance = pick(2...3)
                pool.bounds = ReplicaBounds(minimum: 2, maximum: 8)
                pool.initialReplicas = 8
                pool.router = .leastOutstanding
                pool.drainDeadline = .minutes(2)
            }
            pool.coldStart = choose([
                ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero),
                ColdStart(provision: span(0...15), pull: span(0...3), load: span(0...6), warmUp: .zero),
                ColdStart(provision: span(5...60), pull: span(0...3), load: span(5...20), warmUp: .zero),
                ColdStart(provision: .zero, pull: span(1...3), load: span(0...20), warmUp: span(0...3)),
            ])
            return pool
        }
        self.fleet = fleet

        let seconds = Int(fleet.duration.seconds)
        requests = []
        // Bursts, so that there is both overload and rest.
        for _ in 0..<(isCrowded ? 6 : pick(2...6)) {
            let pool = choose(fleet.pools)
            let start = span(0...(seconds - 1))
            let spread = choose([1, 4, 20])
            let longest = isCrowded ? 60 : choose([3, 20, 60])
            for _ in 0..<(isCrowded ? pick(8...14) : pick(1...14)) {
                let offset = start + span(0...spread)
                requests.append(
                    Request(
                        pool: pool.id, tenant: pick(0...(fleet.tenants.count - 1)),
                        sloClass: pick(0...(fleet.sloClasses.count - 1)), offset: offset,
                        prompt: Int32(pick(1...(pool.batcher.maxContext * 11 / 10))), output: Int32(pick(1...longest))))
            }
        }
        requests.sort { $0.offset < $1.offset }
        let hpa = PolicyChoice(
            label: "hpa", policy: "hpa",
            parameters: [
                "target_per_replica": .number(choose([0.5, 1, 3])),
                "scale_down_stabilization": .text(choose(["0s", "0s", "15s"])), "scale_down_period": .text("5s"),
                "scale_up_period": .text("5s"),
            ])
        policy = choose([
            hpa,
            PolicyChoice(label: "static", policy: "static", parameters: ["replicas": .number(Double(pick(0...5)))]),
            PolicyChoice(
                label: "queue-depth", policy: "queue-depth",
                parameters: ["target_waiting": .number(1), "scale_in_delay": .text(choose(["5s", "20s"]))]),
            PolicyChoice(
                label: "lookahead", policy: "lookahead",
                parameters: [
                    "horizon": .text("10s"), "scale_in_delay": .text(choose(["5s", "20s"])),
                    "drain_time": .text("10s"), "assumed_prompt_tokens": .number(20),
                    "assumed_output_tokens": .number(10),
                ]),
        ])
        isWhimsical = isCrowded || pick(0...7) == 0
        plantFactor = choose([1, 1, 1.3])
        stopAfter = pick(0...9) == 0 ? pick(1...12) : nil
    }
}
