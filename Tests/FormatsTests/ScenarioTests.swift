import FleetModel
import Foundation
import Pricing
import Scaling
import Serving
import Simulation
import Testing
import Units
import Workload

@testable import Formats

@Suite("Scenarios")
struct ScenarioTests {
    let fixture: ScenarioFixture

    init() throws { fixture = try ScenarioFixture() }

    @Test("Every key of a scenario arrives where it belongs")
    func whole() throws {
        let reading = try fixture.check(ScenarioFixture.scenario)
        #expect(reading.diagnostics.isEmpty)
        let scenario = try #require(reading.scenario)
        #expect(scenario.name == "chat-day")
        #expect(scenario.seed == 42)
        #expect(scenario.start == Instant("2026-03-02"))
        #expect(scenario.duration == .hours(24))
        #expect(scenario.tenants.map(\.name) == ["acme", "globex", "initech"])
        #expect(
            scenario.sloClasses == [
                SLOClass(
                    name: "interactive", ttft: .seconds(2), tpot: .milliseconds(100), attainment: 0.99,
                    timeout: .seconds(120), priority: 0),
                SLOClass(name: "batch", e2e: .hours(1), attainment: 0.9, priority: 5),
            ])
        #expect(
            scenario.sources == [
                TrafficSource(
                    name: "chat", pool: PoolID("chat"),
                    tenants: [
                        TenantShare(tenant: 0, share: 0.6), TenantShare(tenant: 1, share: 0.3),
                        TenantShare(tenant: 2, share: 0.1),
                    ], sloClass: 0, arrivals: .gamma(cv: 1.1), rate: .steps(every: .minutes(10), values: [5, 8, 6]),
                    promptTokens: LengthDistribution(
                        .quantiles([
                            QuantilePoint(p: 0, tokens: 1), QuantilePoint(p: 0.5, tokens: 928),
                            QuantilePoint(p: 0.99, tokens: 4142), QuantilePoint(p: 1, tokens: 14050),
                        ])), outputTokens: LengthDistribution(.lognormal(p50: 129, p99: 601), maximum: 1000))
            ])
        #expect(scenario.traces.map(\.name) == ["real"])
        #expect(scenario.traces.first?.speed == 2)
        #expect(scenario.traces.first?.sloClass == 1)
        #expect(try scenario.traces.first?.source.allRecords().map(\.promptTokens) == [10, 20])
        let pool = try #require(scenario.pools.first)
        #expect(pool.profile == EngineProfileFileTests.profile)
        #expect(
            pool.batcher
                == BatcherConfiguration(
                    maxBatchedTokens: 4096, maxSequences: 128, blockSize: 16, totalBlocks: 25_000, maxContext: 4096))
        #expect(pool.replicasPerInstance == 2)
        // The load stage is the profile's own.
        #expect(
            pool.coldStart
                == ColdStart(provision: .seconds(90), pull: .seconds(60), load: .seconds(45), warmUp: .seconds(20)))
        #expect(pool.bounds == ReplicaBounds(minimum: 2, maximum: 16))
        #expect(pool.initialReplicas == 4)
        #expect(pool.router == .roundRobin)
        #expect(pool.maxWaitingPerReplica == 200)
        #expect(scenario.priceBook.prices.count == 3)
        #expect(scenario.priceBook.prices.last?.billing == BillingRule(increment: .seconds(1), minimum: .zero))
        #expect(scenario.priceBook.prices[1].billing.increment == .hours(1))
        #expect(scenario.control.maxStepUp == 4)
        #expect(scenario.control.spendingCeiling == USDPerHour("500"))
        #expect(scenario.policies.map(\.label) == ["static", "hpa", "hpa-tuned", "lookahead"])
        #expect(scenario.policies[0].parameters == ["replicas": .number(10)])
        #expect(
            scenario.policies[2].tuning
                == PolicyTuning(
                    parameter: "target_per_replica", candidates: [.number(8), .number(16), .number(24)], seed: 7))
        #expect(scenario.policies[3].parameters == ["scale_in_margin": .number(0.2)])
        #expect(
            scenario.files.map(\.name) == [
                "scenario.yaml", "prices/on-demand.yaml", "profiles/llama.json", "mine.csv",
            ])
        let trace = try Data(contentsOf: fixture.folder.url.appending(path: "chat/mine.csv"))
        #expect(scenario.files.last?.digest == Digest(of: trace).hexadecimal)
    }

    @Test("Without a duration the traces give it, at their speed")
    func traceDuration() throws {
        let text = ScenarioFixture.scenario.replacing("duration: 24h\n", with: "")
        #expect(try fixture.check(text).scenario?.duration == .seconds(46))
    }

    @Test(
        "Lengths and rates come in every kind",
        arguments: [
            ("{fixed: 512}", LengthDistribution.fixed(512)),
            ("{geometric: {mean: 500}, minimum: 2}", LengthDistribution(.geometric(mean: 500), minimum: 2)),
            ("{normal: {mean: 1k, deviation: 50}}", LengthDistribution(.normal(mean: 1000, deviation: 50))),
            ("{uniform: {minimum: 1, maximum: 8}}", LengthDistribution(.uniform(from: 1, to: 8))),
            (
                "{lognormal: {mean: 200, deviation: 300}}",
                LengthDistribution(.lognormalMoments(mean: 200, deviation: 300))
            ),
        ])
    func kinds(text: String, expected: LengthDistribution) throws {
        let reading = try fixture.check(
            ScenarioFixture.scenario.replacing("{lognormal: {p50: 129, p99: 601}, maximum: 1k}", with: text))
        #expect(reading.diagnostics.isEmpty)
        #expect(reading.scenario?.sources.first?.outputTokens == expected)
    }

    @Test("A YAML file may be named itself, from where it lies")
    func file() throws {
        _ = try fixture.check(ScenarioFixture.scenario)
        #expect(ScenarioReader.check(path: fixture.folder.url.path + "/chat/scenario.yaml").scenario != nil)
        #expect(throws: InvalidInput.self) { try ScenarioReader.read(path: fixture.folder.url.path + "/none") }
    }

    @Test("A scenario with many mistakes gives all of them, each at its place")
    func mistakes() throws {
        let text = ScenarioFixture.scenario
            .replacing("seed: 42", with: "sed: 42")  // 1: unknown key (and the seed is missing)
            .replacing("2026-03-02T00", with: "2026-02-30T00")  // 2: a date that does not exist
            .replacing("ttft: 2s", with: "ttft: 2")  // 3: no unit
            .replacing("attainment: 99%", with: "attainment: 0.99")  // 4: no percent sign
            .replacing("class: batch", with: "class: bacth")  // 5: unknown class
            .replacing("initech: 10%}", with: "initek: 10%}")  // 6: unknown tenant
            .replacing("values: [2.5, 4, 3]", with: "values: [2.5, -4, 3]")  // 7: negative rate
            .replacing("50%: 928", with: "50%: 9280")  // 8: quantiles fall
            .replacing("file: mine.csv", with: "file: yours.csv")  // 9: no such trace
            .replacing("p5.48xlarge", with: "p5.48xlarg")  // 10: unknown instance
            .replacing("min: 2, max: 16", with: "min: 20, max: 16")  // 11: bounds
            .replacing("pull: 60s, ", with: "")  // 12: a stage nobody knows
            // 13, 14: a label there twice, an unknown parameter
            .replacing("{label: hpa, policy: hpa}", with: "{label: static, policy: hpa, targt_per_replica: 3}")
            .replacing("seed: 7}", with: "seed: 7, seed: 8}")  // 15: repeated key
            // 16 to 19: a second pool of the same name, with a profile that is not there, and with two keys missing
            .replacing("prices: [", with: "  - {name: chat, profile: profiles/lama.json}\nprices: [")
        let found = try fixture.told(text)
        #expect(
            found == [
                "chat/scenario.yaml:1:1: error: scenario has no 'seed'",
                "chat/scenario.yaml:3:1: error: scenario has no key 'sed'",
                "chat/scenario.yaml:4:8: error: start '2026-02-30T00:00:00Z' is no date or UTC time",
                "chat/scenario.yaml:7:23: error: ttft '2' has no unit",
                "chat/scenario.yaml:7:51: error: attainment '0.99' has no percent sign",
                "chat/scenario.yaml:14:39: error: tenant 'initek' does not exist",
                "chat/scenario.yaml:16:46: error: requests per second '-4' is negative",
                "chat/scenario.yaml:17:51: error: quantile '99%: 4142' does not ascend from the one before it",
                "chat/scenario.yaml:21:12: error: slo class 'bacth' does not exist",
                "chat/scenario.yaml:23:19: error: trace file 'yours.csv' does not exist",
                "chat/scenario.yaml:27:41: error: pool 'chat' is priced in no price book: "
                    + "aws p5.48xlarg us-east-1a on-demand",
                "chat/scenario.yaml:29:17: error: cold start of pool 'chat' has no pull, and its profile 'test' has not "
                    + "measured it", "chat/scenario.yaml:30:21: error: min 20 is above max 16",
                "chat/scenario.yaml:34:5: error: pool 'chat' has no 'offering'",
                "chat/scenario.yaml:34:5: error: pool 'chat' has no 'replicas'",
                "chat/scenario.yaml:34:12: error: pool 'chat' is there twice; first on line 25",
                "chat/scenario.yaml:34:27: error: engine profile 'profiles/lama.json' does not exist",
                "chat/scenario.yaml:40:13: error: policy label 'static' is there twice; first on line 39",
                "chat/scenario.yaml:40:34: error: policy 'hpa' has no parameter 'targt_per_replica'",
                "chat/scenario.yaml:41:109: error: key 'seed' is given twice in this map; first on line 41",
            ])
    }

    @Test("A fix names what was looked for and what is near")
    func fixes() throws {
        let text = ScenarioFixture.scenario.replacing("p5.48xlarge", with: "p5.48xlarg")
            .replacing("mine.csv", with: "yours.csv").replacing("policy: lookahead", with: "policy: lokahead")
        let found = try fixture.told(text, fixes: true)
        #expect(
            found == [
                """
                chat/scenario.yaml:23:19: error: trace file 'yours.csv' does not exist
                    looked for chat/yours.csv and yours.csv
                """,
                """
                chat/scenario.yaml:27:41: error: pool 'chat' is priced in no price book: aws p5.48xlarg us-east-1a on-demand
                    price books in use: prices/on-demand.yaml; known by instance: p5.48xlarge; nearest name: 'p5.48xlarge'
                """,
                """
                chat/scenario.yaml:41:14: error: there is no policy 'lokahead'
                    policies: static, schedule, hpa, queue-depth, lookahead; nearest name: 'lookahead'
                """,
            ])
    }

    @Test(
        "One mistake gives one diagnostic, at its place",
        arguments: [
            ("scenario: chat-day", "scenario: chat day", "1:11: error: scenario 'chat day' is no name"),
            ("duration: 24h", "duration: 0s", "5:11: error: duration '0s' is not above zero"),
            (
                "[acme, globex, initech]", "[acme, globex, initech, acme]",
                "9:34: error: tenant 'acme' is there twice; first on line 9"
            ),
            ("priority: 0}", "priority: zero}", "7:82: error: priority 'zero' is no whole number"),
            ("acme: 60%", "acme: 50%", "14:14: error: the shares of traffic 'chat' sum to 90%"),
            ("{gamma: {cv: 1.1}}", "{gama: {cv: 1.1}}", "15:16: error: arrivals 'gama' does not exist"),
            ("{gamma: {cv: 1.1}}", "gamma", "15:15: error: arrivals 'gamma' has no coefficient of variation"),
            ("{gamma: {cv: 1.1}}", "poison", "15:15: error: arrivals 'poison' does not exist"),
            (
                "{steps: {every: 10m, values: [2.5, 4, 3]}, scale: 2}", "{constant: 12}",
                "16:22: error: rate '12' has no unit"
            ),
            ("{steps: {every: 10m, values: [2.5, 4, 3]}, scale: 2}", "12/s", "16:11: error: rate is a single value"),
            ("values: [2.5, 4, 3]", "values: []", "16:40: error: values is empty"),
            ("scale: 2", "scale: -2", "16:61: error: scale '-2' is negative"),
            ("p99: 601}", "p99: 60}", "18:48: error: p99 60 is below p50 129"),
            ("speed: 2", "speed: 0", "23:49: error: speed '0' is out of range"),
            ("format: csv", "format: cvs", "23:37: error: format 'cvs' does not exist"),
            (
                "format: csv", "format: azure",
                "mine.csv:1:1: error: header 'offset_s,prompt_tokens,output_tokens' is not the one expected"
            ),
            (
                "trace: {", "rate: {constant: 1/s}\n    trace: {",
                "23:11: error: traffic 'real' has both a trace and 'rate'"
            ),
            (
                "pool: chat\n    class: batch", "pool: char\n    class: batch",
                "20:11: error: pool 'char' does not exist"
            ),
            ("llama.json", "llama.jsn", "26:14: error: engine profile 'profiles/llama.jsn' does not exist"),
            ("capacity: on-demand", "capacity: reserved", "27:82: error: capacity 'reserved' does not exist"),
            (
                "zone: us-east-1a, capacity", "zone: us-east-1b, capacity",
                "27:60: error: pool 'chat' is priced in no price book: aws p5.48xlarge us-east-1b on-demand"
            ),
            (
                "provider: aws, instance: p5.48xlarge, zone: us-east-1a",
                "provider: gcp, instance: a3-highgpu-1g, zone: us-central1-a",
                "27:41: error: a3-highgpu-1g has 1 accelerators and a replica of pool 'chat' needs 4"
            ),
            (
                "max_num_seqs: 128", "max_num_seqs: 5k",
                "28:28: error: max_num_seqs 5000 exceeds max_num_batched_tokens 4096"
            ),
            (
                "max_num_seqs: 128", "kv_tokens: 2k",
                "28:25: error: the KV cache of pool 'chat' holds 2000 tokens, less than the longest context, 4096"
            ),
            ("max_num_seqs: 128", "max_num_seq: 128", "28:14: error: engine of pool 'chat' has no key 'max_num_seq'"),
            ("initial: 4", "initial: 40", "30:42: error: initial 40 is outside min 2 to max 16"),
            ("router: round-robin", "router: random", "31:13: error: router 'random' does not exist"),
            ("drain_deadline: 5m", "drain_deadline: 5", "33:21: error: drain deadline '5' has no unit"),
            ("prices/on-demand.yaml", "prices/none.yaml", "34:10: error: price book 'prices/none.yaml' does not exist"),
            (
                "prompt_token: 1, output_token: 4", "prompt_token: 0, output_token: 0",
                "35:13: error: both weights are zero"
            ),
            ("staleness: 45s", "staleness: 5s", "36:59: error: staleness 5s is shorter than the scrape interval 15s"),
            ("500 USD/h", "500", "36:98: error: spending ceiling '500' is no amount per hour"),
            (
                "replicas: 10", "replicas: ten",
                "38:47: error: parameter 'replicas' of policy 'static' is \"ten\"; expected a whole number from 0 to 1000000"
            ),
            ("replicas: 10", "replicas_by_pool: {chta: 10}", "38:56: error: pool 'chta' does not exist"),
            ("candidates: [8, 16, 24]", "candidates: [8]", "40:87: error: candidates has no two values to choose from"),
            (
                "candidates: [8, 16, 24]", "candidates: [8, x]",
                "40:91: error: parameter 'target_per_replica' of policy 'hpa' is \"x\"; expected a number from 0.001 to 1000000"
            ),
            (
                "parameter: target_per_replica", "parameter: target",
                "40:55: error: policy 'hpa' has no parameter 'target'"
            ),
            ("seed: 7", "seed: 42", "40:106: error: tuning uses the scenario's own seed 42"),
            ("question: What does a day of chat cost?", "question: {}", "2:11: error: question is a map"),
        ] as [(String, String, String)])
    func single(old: String, new: String, expected: String) throws {
        try #require(ScenarioFixture.scenario.contains(old))
        let text = ScenarioFixture.scenario.replacing(old, with: new, maxReplacements: 1)
        let place = expected.hasPrefix("mine") ? "chat/" : "chat/scenario.yaml:"
        let found = try fixture.told(text)
        #expect(found == [place + expected], "\(found)")
    }

    @Test("Mistakes of the files a scenario names come out with its own")
    func otherFiles() throws {
        try fixture.folder.write(
            "prices/on-demand.yaml",
            ScenarioFixture.prices.replacing("98.32", with: "$98.32").replacing(
                ", date: 2026-03-02}\n  - {provider: gcp", with: "}\n  - {provider: gcp"))
        try fixture.folder.write("chat/mine.csv", "offset_s,prompt_tokens,output_tokens\n0,10,5\n-1,20,6\n")
        let found = try fixture.told(ScenarioFixture.scenario.replacing("tick: 15s", with: "tick: 15"))
        #expect(
            found == [
                "chat/mine.csv:3:1: error: offset_s '-1' is not a time from 0 to 100 years",
                "chat/scenario.yaml:36:17: error: tick '15' has no unit",
                "prices/on-demand.yaml:2:97: error: usd per hour '$98.32' is no price",
                "prices/on-demand.yaml:4:5: error: price has no 'date'",
            ], "\(found)")
    }

    @Test("An offering priced twice is told where it is priced again")
    func pricedTwice() throws {
        try fixture.folder.write("prices/more.yaml", ScenarioFixture.prices)
        let text = ScenarioFixture.scenario.replacing("on-demand.yaml]", with: "on-demand.yaml, prices/more.yaml]")
        let found = try fixture.told(text)
        #expect(
            found.map { String($0.prefix(29)) } == [2, 4, 6].map { "prices/more.yaml:\($0):5: error: " }, "\(found)")
    }

    @Test("What is suspect but runs is a warning, and the scenario stands")
    func warnings() throws {
        let reading = try fixture.check(ScenarioFixture.scenario.replacing("duration: 24h", with: "duration: 20s"))
        #expect(reading.scenario != nil)
        #expect(reading.diagnostics.map(\.severity) == [.warning])
        #expect(reading.diagnostics[0].message == "1 of 2 requests of traffic 'real' come after the scenario's end")
    }

    @Test("A static level that the bounds do not allow is a warning at its place")
    func staticBounds() throws {
        func warnings(_ policy: String) throws -> [String] {
            let text = ScenarioFixture.scenario.replacing("policies:\n", with: "policies:\n  - \(policy)\n")
            let reading = try fixture.check(text)
            #expect(reading.scenario != nil)
            return reading.diagnostics.map { "\($0.column) \($0.severity): \($0.message)" }
        }
        let within = "{label: fixed, policy: static, replicas: 16}"
        #expect(try warnings(within).isEmpty)
        let message = "warning: policy 'fixed' wants 17 replicas of pool 'chat', whose bounds are "
        let found = try warnings("{label: fixed, policy: static, replicas: 17}")
        #expect(found.count == 1 && found[0].hasPrefix("46 " + message) && found[0].hasSuffix(": it gets 16"))
        let byPool = try warnings("{label: fixed, policy: static, replicas_by_pool: {chat: 17}}")
        #expect(byPool.count == 1 && byPool[0].hasPrefix("61 " + message))
    }

    @Test(
        "A rate with some digits too many is an error before it is waited for",
        arguments: ["2000/s", "1000000/s", "1e9/s"])
    func floods(rate: String) throws {
        let text = ScenarioFixture.scenario.replacing(
            "rate: {steps: {every: 10m, values: [2.5, 4, 3]}, scale: 2}", with: "rate: {constant: \(rate)}")
        let found = try fixture.told(text)
        // A day has 86,400 s: 173 million requests are many, and 86 billion too many.
        #expect(found.isEmpty == (rate == "2000/s"), "\(found)")
        for line in found {
            #expect(line.hasPrefix("chat/scenario.yaml:11:3: error: the traffic comes to about 86"))
            #expect(line.contains("billion requests") && line.contains("of them from 'chat'"))
        }
    }

    @Test("An empty scenario names everything it lacks")
    func empty() throws {
        let found = try fixture.told("{}")
        #expect(found.count == 11, "\(found)")
        #expect(found.allSatisfy { $0.contains("scenario has no '") })
    }

    @Test("Hostile text is an error, never a crash", arguments: 0..<150)
    func mutations(seed: Int) throws {
        var state = UInt64(seed + 1) &* 0x9E37_79B9_7F4A_7C15
        func random(below limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(limit))
        }
        var bytes = Array(ScenarioFixture.scenario.utf8)
        for _ in 0...random(below: 8) {
            let at = random(below: bytes.count)
            switch random(below: 4) {
            case 0: bytes[at] = UInt8(random(below: 256))
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(contentsOf: "-{}[]:&*%9 \n\"'".utf8.shuffled(seed: &state), at: at)
            default: bytes.removeSubrange(at..<min(bytes.count, at + random(below: 200)))
            }
        }
        try fixture.folder.write("chat/scenario.yaml", bytes)
        let reading = ScenarioReader.check(path: fixture.folder.url.path + "/chat")
        #expect((reading.scenario == nil) == reading.diagnostics.contains { $0.severity == .error })
    }
}

extension Collection<UInt8> {
    fileprivate func shuffled(seed: inout UInt64) -> [UInt8] {
        var bytes = Array(self)
        for i in bytes.indices {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1
            bytes.swapAt(i, Int(seed >> 33) % bytes.count)
        }
        return bytes
    }
}
