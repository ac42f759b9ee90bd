import EngineModel
import FleetModel
import Pricing
import Scaling
import Serving
import Simulation
import Units
import Workload

extension QueueingCase {
    static let lognormalCV = 1.5
    private static var step: Double { meanService * 1e9 / Double(tokens) }

    /// The case as an ordinary scenario: one replica that is never resized.
    func scenario(seed: UInt64, requests: Int) -> Scenario {
        let pool = PoolID("queue")
        let profile = EngineProfile(
            name: "constant step", model: "none", hardware: "none", acceleratorsPerReplica: 1, engine: "none",
            date: "2026-01-01", source: "queueing theory",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: Self.step, perSequence: 0, perContextToken: 0),
                mixed: .init(constant: Self.step, perPrefillToken: 0)),
            noise: 0, kvTokens: 1 << 40, maxContext: 1 << 30, coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(
                decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "exact"
            ),
            notes: [])
        let offering = Offering(provider: "none", instanceType: "server", zone: "none", capacityType: .onDemand)
        let sequences = service == .held ? servers / 2 : servers
        let clients = clients
        return Scenario(
            name: name, question: "Does the simulator agree with queueing theory?", seed: seed, start: .epoch,
            duration: .estimate(seconds: Double(requests) / arrivalRate), tenants: [Tenant(name: "all")],
            sloClasses: clients.map { SLOClass(name: $0.name, timeout: $0.patience) },
            sources: clients.enumerated().map { index, client in
                TrafficSource(
                    name: client.arrivals, pool: pool, tenants: [TenantShare(tenant: 0, share: 1)], sloClass: index,
                    arrivals: .poisson, rate: .constant(arrivalRate * client.share),
                    promptTokens: LengthDistribution(.fixed(1)), outputTokens: LengthDistribution(client.tokens))
            },
            traces: [],
            pools: [
                PoolConfiguration(
                    id: pool, profile: profile,
                    batcher: BatcherConfiguration(
                        maxBatchedTokens: max(2048, servers), maxSequences: sequences, totalBlocks: 1 << 36,
                        maxContext: 1 << 30),
                    offering: offering, replicasPerInstance: 1,
                    coldStart: ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero),
                    bounds: ReplicaBounds(minimum: 1, maximum: 1), initialReplicas: 1, router: .roundRobin,
                    maxWaitingPerReplica: waitingRoom.map { servers + $0 - sequences } ?? .max, drainDeadline: .zero)
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

    /// Clients of one kind: their share of all arrivals, how much they ask for and how long they stay.
    private struct Clients {
        var name = "all"
        var arrivals = "arrivals"
        var share = 1.0
        var tokens: LengthLaw
        var patience: TimeSpan?
    }

    private var clients: [Clients] {
        let mean = Double(Self.tokens)
        switch service {
        case .exponential: return [Clients(tokens: .geometric(mean: mean))]
        case .constant: return [Clients(tokens: .fixed(Self.tokens))]
        case .lognormal: return [Clients(tokens: .lognormalMoments(mean: mean, deviation: Self.lognormalCV * mean))]
        case .held:
            // 0.8 · ½ + 0.2 · 3 = 1 and 0.8 · ¼ + 0.2 · 9 = 2. They ask for more than anyone stays for.
            return [("brief", 0.8, 0.5), ("long", 0.2, 3)].map { name, share, means in
                Clients(
                    name: name, arrivals: "\(name) arrivals", share: share, tokens: .fixed(4 * Self.tokens),
                    patience: .estimate(seconds: means * Self.meanService))
            }
        }
    }
}
