import EngineModel
import FleetModel
import Pricing
import Randomness
import Serving
import Simulation
import Units
import Workload

/// Two or three engines behind a gateway and some hundred requests, drawn from a seed: tight enough for queues, refused
/// requests, chunked prompts and preemptions.
///
/// Whole costs in nanoseconds, so that a step ends on one in Python as here.
struct Fleet: Encodable {
    struct Costs: Encodable {
        struct Decode: Encodable { var constant, sequence, context: Int }
        struct Mixed: Encodable { var constant, prefill, sequence, context, behind: Int }
        var decode: Decode
        var mixed: Mixed
    }

    var engines: Int
    var router: RouterKind
    /// Waiting requests at which an engine takes no more.
    var places: Int
    var costs: Costs
    var maxBatchedTokens: Int
    var maxSequences: Int
    var blockSize: Int
    var blocks: Int
    /// Nanoseconds since the start, prompt tokens, output tokens.
    var requests: [[Int]]

    static let maxContext = 600

    init(seed: UInt64, router: RouterKind) {
        let draw = RandomStreams(seed: seed).generator("fleet")
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + draw.uniform(below: range.count) }
        self.router = router
        engines = pick(2...3)
        places = pick(2...12)
        costs = Costs(
            decode: .init(constant: pick(6_000_000...9_000_000), sequence: pick(0...90_000), context: pick(10...900)),
            mixed: .init(
                constant: pick(7_000_000...11_000_000), prefill: pick(10_000...60_000), sequence: pick(0...90_000),
                context: pick(10...900), behind: pick(0...300)))
        maxSequences = pick(3...16)
        maxBatchedTokens = maxSequences + pick(10...300)
        blockSize = [1, 7, 16][pick(0...2)]
        blocks = Self.maxContext / blockSize + 1 + pick(0...(1_200 / blockSize))
        let gap = pick(20_000_000...120_000_000)
        var now = 0
        requests = (0..<300).map { _ in
            // Some share their nanosecond with the one before.
            if pick(0...9) > 0 { now += pick(0...gap) }
            return [now, pick(1...400), pick(1...min(150, 1 + pick(0...199)))]
        }
    }

    /// The same fleet as a scenario. Each request is traffic of its own with an SLO class of its own, so that the results
    /// by class are results by request.
    var scenario: Scenario {
        let pool = PoolID("fleet")
        let offering = Offering(provider: "any", instanceType: "one", zone: "z", capacityType: .onDemand)
        let profile = EngineProfile(
            name: "whole", model: "none", hardware: "none", acceleratorsPerReplica: 1, engine: "none",
            date: "2026-01-01", source: "made up",
            stepTime: StepTimeCoefficients(
                decode: .init(
                    constant: Double(costs.decode.constant), perSequence: Double(costs.decode.sequence),
                    perContextToken: Double(costs.decode.context)),
                mixed: .init(
                    constant: Double(costs.mixed.constant), perPrefillToken: Double(costs.mixed.prefill),
                    perContextToken: Double(costs.mixed.context), perPrefillContextToken: Double(costs.mixed.behind),
                    perSequence: Double(costs.mixed.sequence))),
            noise: 0, kvTokens: Int64(blocks * blockSize), maxContext: Int64(Self.maxContext),
            coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(
                decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
        return Scenario(
            name: "fleet", question: "Does SimPy agree?", seed: 1, start: .epoch,
            duration: TimeSpan(nanoseconds: Int64(requests.last![0]) + 1), tenants: [Tenant(name: "all")],
            sloClasses: requests.indices.map { SLOClass(name: "\($0)") }, sources: [],
            traces: requests.enumerated().map { number, request in
                TraceTraffic(
                    name: "\(number)", pool: pool, tenants: [TenantShare(tenant: 0, share: 1)], sloClass: number,
                    records: [
                        TraceRecord(
                            offset: TimeSpan(nanoseconds: Int64(request[0])), promptTokens: Int32(request[1]),
                            outputTokens: Int32(request[2]))
                    ])
            },
            pools: [
                PoolConfiguration(
                    id: pool, profile: profile,
                    batcher: BatcherConfiguration(
                        maxBatchedTokens: maxBatchedTokens, maxSequences: maxSequences, blockSize: blockSize,
                        totalBlocks: blocks, maxContext: Self.maxContext),
                    offering: offering, replicasPerInstance: 1,
                    coldStart: ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero),
                    bounds: ReplicaBounds(minimum: engines, maximum: engines), initialReplicas: engines,
                    router: router, maxWaitingPerReplica: places, drainDeadline: .zero)
            ],
            control: ControlConfiguration(),
            policies: [PolicyChoice(label: "static", policy: "static", parameters: [:])],
            priceBook: PriceBook(prices: [
                Price(
                    offering: offering, rate: USDPerHour(nanodollars: 1_000_000_000), accelerators: 1,
                    billing: BillingRule(increment: .seconds(1), minimum: .zero), source: "none", date: "2026-01-01")
            ]), allocation: AllocationWeights(), files: [])
    }
}
