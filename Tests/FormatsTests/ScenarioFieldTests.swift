import Scaling
import Simulation
import Testing
import Units
import Workload

@testable import Formats

@Suite("Scenario fields by path")
struct ScenarioFieldTests {
    let fixture: ScenarioFixture
    private var path: String { fixture.folder.url.path + "/chat" }

    init() throws {
        fixture = try ScenarioFixture()
        try fixture.folder.write("chat/scenario.yaml", ScenarioFixture.scenario)
    }

    private func scenario(_ edits: ScenarioEdit...) throws -> Scenario {
        let reading = ScenarioReader.check(path: path, applying: edits)
        #expect(reading.diagnostics.isEmpty)
        return try #require(reading.scenario)
    }

    private func told(_ edits: ScenarioEdit...) -> [String] {
        ScenarioReader.check(path: path, applying: edits).diagnostics.map {
            $0.description.replacing(fixture.folder.url.path + "/", with: "")
        }
    }

    /// The first problem, with its fix.
    private func refusal(_ edit: ScenarioEdit) -> String { told(edit).first ?? "" }

    @Test("A field anywhere is set: named items, numbers of a list, profiles, prices")
    func sets() throws {
        #expect(try scenario(.set("slo_classes.interactive.ttft", to: "3s")).sloClasses[0].ttft == .seconds(3))
        let rate = try scenario(.set("traffic.chat.rate.steps.values.1", to: "9")).sources[0].rate
        #expect(rate == .steps(every: .minutes(10), values: [5, 18, 6]))
        #expect(try scenario(.set("pools.chat.replicas.max", to: "20")).pools[0].bounds.maximum == 20)
        let policies = try scenario(.set("policies.hpa.target_per_replica", to: "12")).policies
        #expect(policies[1].parameters == ["target_per_replica": .number(12)])
        let profile = try scenario(.set("pools.chat.profile.stepTime.decode.constant", to: "77")).pools[0].profile
        #expect(profile.stepTime.decode.constant == 77)
        let offering = "aws/p5.48xlarge/us-east-1a/on-demand"
        let prices = try scenario(.set("prices.\(offering).usd_per_hour", to: "50")).priceBook.prices
        #expect(prices.map { $0.rate.description } == ["50", "39.5", "11.06"].map { USDPerHour($0)!.description })
        let arrivals = try scenario(.set("traffic.chat.arrivals", to: "{weibull: {cv: 2}}")).sources[0].arrivals
        #expect(arrivals == .weibull(cv: 2))
    }

    @Test("Traffic may say how well its parameters are known")
    func evidence() throws {
        #expect(try scenario().sources[0].evidence == nil)
        let counted = try scenario(.set("traffic.chat.estimated_from", to: "19366 requests")).sources[0].evidence
        #expect(counted == DemandEvidence(requests: 19_366))
        let stated = try scenario(
            .set("traffic.chat.estimated_from", to: "2k requests"),
            .set("traffic.chat.standard_errors", to: "{rate: 5%, output_tokens: 2.5%}")
        ).sources[0].evidence
        #expect(stated == DemandEvidence(requests: 2000, rate: 0.05, outputTokens: 0.025))
        #expect(refusal(.set("traffic.chat.estimated_from", to: "19366")).contains("is no number of requests"))
        #expect(refusal(.set("traffic.chat.standard_errors", to: "{rte: 5%}")).contains("nearest name: 'rate'"))
        #expect(refusal(.set("traffic.real.estimated_from", to: "9 requests")).contains("has both a trace and"))
    }

    @Test("A number is multiplied in its unit, and a whole one stays whole")
    func scales() throws {
        #expect(try scenario(.scale("slo_classes.interactive.ttft", by: 1.1)).sloClasses[0].ttft == .milliseconds(2200))
        #expect(try scenario(.scale("pools.chat.replicas.max", by: 0.9)).pools[0].bounds.maximum == 14)
        #expect(try scenario(.scale("control.spending_ceiling", by: 0.5)).control.spendingCeiling == USDPerHour("250"))
        let attainment = try scenario(.scale("slo_classes.batch.attainment", by: 0.9)).sloClasses[1].attainment
        #expect(abs(attainment - 0.81) < 1e-12)
        let slower = try scenario(.scale("pools.chat.profile.stepTime.decode.constant", by: 1.1)).pools[0].profile
        let constant = EngineProfileFileTests.profile.stepTime.decode.constant
        #expect(abs(slower.stepTime.decode.constant / constant - 1.1) < 1e-9)
    }

    @Test("Of a rate the scale is multiplied, of lengths the law, and of a map every number")
    func scalesMaps() throws {
        let rate = try scenario(.scale("traffic.chat.rate", by: 1.5)).sources[0].rate
        #expect(rate == .steps(every: .minutes(10), values: [7.5, 12, 9]))
        let lengths = try scenario(.scale("traffic.chat.output_tokens", by: 2)).sources[0].outputTokens
        #expect(lengths == LengthDistribution(.lognormal(p50: 258, p99: 1202), maximum: 1000))
        guard
            case .quantiles(let points) = try scenario(.scale("traffic.chat.prompt_tokens", by: 1.1)).sources[0]
                .promptTokens.law
        else { throw ScenarioFixtureError() }
        #expect(points.map(\.tokens) == [1, 1021, 4556, 15455])
        #expect(try scenario(.scale("pools.chat.cold_start", by: 2)).pools[0].coldStart.provision == .seconds(180))
    }

    @Test("A plain rate takes the place of a constant one, and not of a shape")
    func plainRates() throws {
        let fixed = ScenarioFixture.scenario.replacing(
            "rate: {steps: {every: 10m, values: [2.5, 4, 3]}, scale: 2}", with: "rate: {constant: 4/s, scale: 3}")
        try fixture.folder.write("chat/scenario.yaml", fixed)
        #expect(try scenario(.set("traffic.chat.rate", to: "7/s")).sources[0].rate == .constant(7))
        #expect(try scenario(.scale("traffic.chat.rate", by: 0.5)).sources[0].rate == .constant(6))
        #expect(refusal(.set("traffic.chat.rate", to: "7")).contains("'7'"))
        let ramp = fixed.replacing("{constant: 4/s, scale: 3}", with: "{linear: {every: 1h, values: [2, 4]}}")
        try fixture.folder.write("chat/scenario.yaml", ramp)
        let half = try scenario(.scale("traffic.chat.rate", by: 0.5)).sources[0].rate
        #expect(half == .linear(every: .hours(1), values: [1, 2]))
        let told = refusal(.set("traffic.chat.rate", to: "7/s"))
        #expect(told.contains("has a shape, 'linear'") && told.contains("'traffic.chat.rate=x0.5..x2'"))
        #expect(told.contains("'{constant: 7/s}'"))
        #expect(try scenario(.set("traffic.chat.rate", to: "{constant: 7/s}")).sources[0].rate == .constant(7))
    }

    @Test("A path that leads nowhere is told with the names that do")
    func refusals() {
        #expect(
            told(.scale("traffic.chit.rate", by: 2)) == [
                """
                chat/scenario.yaml:11:3: error: there is no 'traffic.chit.rate' in the files of the scenario: nothing \
                here goes by 'chit'
                    names here: chat, real; nearest name: 'chat'
                """
            ])
        #expect(refusal(.scale("pools.chat.router", by: 2)).contains("'round-robin', which is no number to multiply"))
        #expect(refusal(.set("seed.x", to: "2")).contains("'seed' is a single value"))
        // A key that is added is checked like one that was written.
        #expect(refusal(.set("traffic.chat.rte.constant", to: "2/s")).contains("has no key 'rte'"))
        #expect(refusal(.set("traffic.chat.rte.constant", to: "2/s")).contains("nearest name: 'rate'"))
        #expect(refusal(.scale("pools.chat.profile.stepTime.decod.constant", by: 2)).contains("nearest name: 'decode'"))
        #expect(refusal(.scale("prices.aws/p5.48xlarge/us-east-1a/spt.usd_per_hour", by: 2)).contains("no price goes"))
        #expect(refusal(.set("slo_classes.interactive.ttft", to: "3")).contains("ttft '3' has no unit"))
        #expect(refusal(.scale("pools.chat.replicas.initial", by: 1.05)).contains("so small a change"))
        #expect(refusal(.scale("slo_classes.interactive.attainment", by: 1.1)).contains("out of range"))
        #expect(refusal(.set("traffic.chat.arrivals", to: "{gamma")).contains("no YAML"))
    }

    @Test("Every field that is listed can be set to what it has, which changes nothing")
    func listing() throws {
        let fields = ScenarioReader.fields(path: path)
        #expect(fields.contains(ScenarioField(path: "traffic.chat.rate.scale", value: "2")))
        #expect(fields.contains(ScenarioField(path: "policies.lookahead.scale_in_margin", value: "20%")))
        #expect(fields.contains { $0.path == "pools.chat.profile.stepTime.mixed.perPrefillToken" })
        #expect(fields.count { $0.path.hasSuffix(".usd_per_hour") } == 3)
        let same = ScenarioReader.check(path: path, applying: fields.map { .set($0.path, to: $0.value) })
        #expect(same.diagnostics.isEmpty)
        let (a, b) = (try scenario(), try #require(same.scenario))
        #expect(a.sources == b.sources && a.priceBook == b.priceBook && a.policies == b.policies)
        #expect(a.pools.map(\.profile) == b.pools.map(\.profile) && a.files == b.files)
    }

    private struct ScenarioFixtureError: Error {}
}
