import EngineModel
import FleetModel
import Pricing
import Reporting
import Scaling
import Serving
import Simulation
import Units
import Workload

@testable import Studies

/// A small fleet with everything a report shows: two pools, two classes, tenants with hostile names, cold starts, spot.
enum Fixture {
    static let hostile = "<script>alert(\"x\")</script> & 'co', inc"

    static let profile = EngineProfile(
        name: "invented for tests", model: "toy-7b", hardware: "1 × accelerator", acceleratorsPerReplica: 1,
        engine: "none", date: "2026-01-15", source: "invented: these numbers describe no hardware",
        stepTime: StepTimeCoefficients(
            decode: .init(constant: 22_000_000, perSequence: 60_000, perContextToken: 90),
            mixed: .init(constant: 24_000_000, perPrefillToken: 65_000, perContextToken: 160, perSequence: 70_000),
            hostOverhead: 1_500_000),
        noise: 0.02, kvTokens: 160_000, maxContext: 16_384,
        coldStart: ColdStartProfile(source: "invented"),
        validRange: ValidRange(
            decodeSequences: 256, decodeContext: 400_000, prefillTokens: 8192, prefillContext: 16_384),
        fit: FitQuality(
            fitted: 960, heldOut: 240, medianAbsoluteError: 0.031, p90AbsoluteError: 0.092, bias: -0.004,
            heldOutDescription: "whole (chunk, batch, context) combinations"),
        notes: ["Host overhead is assumed."])

    static func scenario(hours: Int64, pools: Int = 2, rate: Double = 2) -> Scenario {
        let offerings = [CapacityType.onDemand, .spot].map {
            Offering(provider: "acme-cloud", instanceType: "gpu-2x", zone: "eu-1a", capacityType: $0)
        }
        let names = ["chat", "code"].prefix(pools)
        let shape = [0.35, 0.25, 0.2, 0.22, 0.4, 0.8, 1.0, 0.95, 0.9, 0.97, 0.8, 0.55].map { $0 * rate }
        return Scenario(
            name: "two-pools", question: "Which policy keeps chat answers prompt at the lowest cost?", seed: 7,
            start: Instant("2026-03-02")!, duration: .hours(hours),
            tenants: [Tenant(name: hostile), Tenant(name: "globex"), Tenant(name: "initech")],
            sloClasses: [
                SLOClass(name: "interactive", ttft: .seconds(2), tpot: .milliseconds(80), attainment: 0.95),
                SLOClass(name: "batch", ttft: .seconds(30), attainment: 0.9, timeout: .seconds(600), priority: 1),
            ],
            sources: names.enumerated().map { index, name in
                TrafficSource(
                    name: name, pool: PoolID(name),
                    tenants: [TenantShare(tenant: 0, share: 3), TenantShare(tenant: 1 + index, share: 1)],
                    sloClass: index,
                    rate: .linear(every: TimeSpan(nanoseconds: TimeSpan.hours(hours).nanoseconds / 12), values: shape),
                    promptTokens: LengthDistribution(.lognormal(p50: 700, p99: 4200), maximum: 8000),
                    outputTokens: LengthDistribution(.lognormal(p50: 150, p99: 800), maximum: 2000))
            }, traces: [],
            pools: names.enumerated().map { index, name in
                PoolConfiguration(
                    id: PoolID(name), profile: profile,
                    batcher: BatcherConfiguration(totalBlocks: 10_000, maxContext: 16_384),
                    offering: offerings[index], replicasPerInstance: 2,
                    coldStart: ColdStart(
                        provision: .seconds(60), pull: .seconds(45), load: .seconds(40), warmUp: .seconds(15)),
                    bounds: ReplicaBounds(minimum: 1, maximum: 12), initialReplicas: 2, router: .leastOutstanding,
                    maxWaitingPerReplica: 200, drainDeadline: .seconds(120))
            },
            control: ControlConfiguration(),
            policies: [PolicyChoice(label: "hpa", policy: "hpa", parameters: ["target_per_replica": .number(12)])],
            priceBook: PriceBook(
                prices: zip(offerings, ["8.76", "3.214567891"]).map { offering, rate in
                    Price(
                        offering: offering, rate: USDPerHour(rate)!, accelerators: 2,
                        billing: BillingRule(increment: .seconds(1), minimum: .seconds(60)),
                        source: "invented for tests", date: "2026-01-15")
                }),
            allocation: AllocationWeights(),
            files: [SourceFile(name: "two-pools/scenario.yaml", digest: Digest(of: "scenario").hexadecimal)])
    }

    static func run(_ scenario: Scenario, policy: PolicyChoice? = nil, options: RunOptions = RunOptions()) throws
        -> RunResult
    {
        try Simulation.run(scenario, policy: policy ?? scenario.policies[0], options: options)
    }

    static let scenario = scenario(hours: 1)
    /// Three replications, made once for all tests.
    static let runs = (0..<3).map { try! run(scenario, options: RunOptions(replication: $0)) }
    static var result: RunResult { runs[0] }
    /// The first of them, stopped after a third.
    static let stopped = try! Simulation.run(scenario, policy: scenario.policies[0]) {
        $0.simulated < .minutes(20) ? .goOn : .stop
    }
    static let estimates = RunEstimates(runs.map(\.measurements), varied: "arrivals, lengths and step noise")

    static var content: ReportContent {
        var content = ReportContent(
            scenario: scenario, result: result, estimates: estimates, comparison: comparison, version: "0.1.0",
            command: "tidegate compare two-pools --output out --seed 7 --replications 3")
        content.sensitivity = sensitivity
        content.uncertainty = uncertainty
        return content
    }

    /// Two fields: the second moves the cost more, and neither the attainment.
    static let sensitivity = Sensitivity(
        base: [40, 1800, 0.99].map { Estimate($0) },
        entries: [
            .init(path: "traffic.a<b>.rate", low: side("−10%", [-2, -150, 0]), high: side("+10%", [2.5, 400, 0])),
            .init(path: "prices.x.usd_per_hour", low: side("−10%", [-4, 0, 0]), high: side("+10%", [4, 0, 0])),
        ], replications: 3)

    private static func side(_ label: String, _ changes: [Double]) -> Sensitivity.Side {
        Sensitivity.Side(
            label: label, values: zip([40, 1800, 0.99], changes).map { Estimate($0 + $1) },
            changes: changes.map { Estimate($0, ci95: .init(lower: $0 - 1, upper: $0 + 1), varied: "arrivals") })
    }

    static let uncertainty = Uncertainty(
        figures: HeadlineFigure.allCases.map { figure in
            .init(
                figure: figure, mean: figure == .attainment ? 0.98 : 40,
                range: .init(lower: figure == .attainment ? 0.95 : 35, upper: figure == .attainment ? 1 : 50),
                shares: [0.2, 0.5, 0.3].map { .init(value: $0, interval: .init(lower: $0 / 2, upper: $0 + 0.2)) })
        }, draws: 16, runs: 80, notes: ["Traffic 'chat' does not say what it was estimated from."])

    /// Rows as a study makes them; the numbers are not of any run.
    static let comparison = Comparison(
        rows: [
            row("lookahead", rank: 1, cost: 41.2, attainment: 0.991, slower: 1, faster: 1),
            row("hpa-tuned", rank: 2, cost: 44.9, attainment: 0.984, slower: nil, faster: 2),
            row("static", rank: 3, cost: 70.4, attainment: 0.9993, slower: 2, faster: 3),
            row("hpa", rank: nil, cost: 38.1, attainment: 0.921, slower: nil, faster: nil),
        ], replications: 3, varied: "arrivals, lengths and step noise", requiredAttainment: 0.95)

    private static func row(
        _ name: String, rank: Int?, cost: Double, attainment: Double, slower: Int?, faster: Int?
    ) -> ComparisonRow {
        func near(_ value: Double, _ spread: Double) -> Estimate {
            let half = abs(value) * spread
            return Estimate(value, ci95: .init(lower: value - half, upper: value + half), varied: "arrivals")
        }
        return ComparisonRow(
            policy: name, policyDigest: Digest(of: name).hexadecimal, rank: rank, cost: near(cost, 0.02),
            costAboveBest: rank == 1 ? nil : near(cost - 41.2, 0.1), costPerMillionOutputTokens: near(cost / 9, 0.02),
            attainment: near(attainment, 0.004), ttftP99: near(1900, 0.05), itlP99: near(72, 0.03),
            meanReplicas: near(cost / 10, 0.01), reversals: near(4, 0.3),
            variants: [
                PlantVariant(
                    factor: 0.85, cost: near(cost * 0.9, 0.02), attainment: near(attainment, 0.001), rank: faster),
                PlantVariant(
                    factor: 1.15, cost: near(cost * 1.1, 0.02), attainment: near(attainment - 0.04, 0.01),
                    rank: slower),
            ])
    }
}
