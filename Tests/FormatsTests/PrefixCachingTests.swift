import Testing
import Units
import Workload

@testable import Formats

@Suite("Prefix caching in scenarios")
struct PrefixCachingTests {
    let fixture: ScenarioFixture

    init() throws { fixture = try ScenarioFixture() }

    /// The scenario with keys added to its engine and to its synthetic traffic.
    private func scenario(engine: String = "", traffic: String...) -> String {
        ScenarioFixture.scenario
            .replacing("max_num_batched_tokens: 4096}", with: "max_num_batched_tokens: 4096\(engine)}")
            .replacing("    arrivals: {gamma", with: traffic.map { "    \($0)\n" }.joined() + "    arrivals: {gamma")
    }

    @Test("Without the keys nothing is cached and nothing shared")
    func defaults() throws {
        let scenario = try #require(try fixture.check(ScenarioFixture.scenario).scenario)
        #expect(!scenario.pools[0].batcher.prefixCaching)
        #expect(scenario.sources[0].sharedPrefix == nil && scenario.sources[0].sessions == nil)
    }

    @Test("Every key arrives where it belongs")
    func keys() throws {
        let reading = try fixture.check(
            scenario(
                engine: ", prefix_caching: true", traffic: "shared_prefix: {tokens: 1.2k, variants: 8, zipf: 1.1}",
                "sessions: {turns: 4.5, think_time: 40s}"))
        #expect(reading.diagnostics.isEmpty)
        let scenario = try #require(reading.scenario)
        #expect(scenario.pools[0].batcher.prefixCaching)
        #expect(scenario.sources[0].sharedPrefix == SharedPrefix(tokens: 1200, variants: 8, zipf: 1.1))
        #expect(scenario.sources[0].sessions == Sessions(turns: 4.5, thinkTime: .seconds(40)))
    }

    @Test(
        "A bad value is told with its place",
        arguments: [
            ("shared_prefix: {variants: 2}", "15:20: error: shared prefix of traffic 'chat' has no 'tokens'"),
            ("shared_prefix: {tokens: 0}", "15:29: error: tokens '0' is out of range"),
            ("shared_prefix: {tokens: 9, variants: none}", "15:42: error: variants 'none' is no whole number"),
            ("shared_prefix: {tokens: 9, zipf: 11}", "15:38: error: zipf '11' is out of range"),
            ("sessions: {think_time: 40s}", "15:15: error: sessions of traffic 'chat' has no 'turns'"),
            ("sessions: {turns: 0.5, think_time: 40s}", "15:23: error: turns '0.5' is out of range"),
            ("sessions: {turns: 3, think_time: 40}", "15:38: error: think time '40' has no unit"),
            ("sessions: {turns: 3, think: 40s}", "15:26: error: sessions of traffic 'chat' has no key 'think'"),
        ])
    func places(text: String, expected: String) throws {
        let told = try fixture.told(scenario(traffic: text))
        #expect(told.contains("chat/scenario.yaml:\(expected)"), "\(told)")
    }

    @Test("A switch is true or false, a trace has no contents, and a prefix fits the prompts")
    func refusals() throws {
        let engine = try fixture.told(scenario(engine: ", prefix_caching: yes"))
        #expect(engine.first?.contains("prefix caching 'yes'") == true, "\(engine)")
        let trace = ScenarioFixture.scenario.replacing(
            "    trace: {file", with: "    shared_prefix: {tokens: 5}\n    trace: {file")
        #expect(try fixture.told(trace).contains { $0.contains("has both a trace and 'shared_prefix'") })
        let long = ScenarioFixture.scenario.replacing(
            "prompt_tokens: {quantiles: {0%: 1, 50%: 928, 99%: 4142, 100%: 14050}}",
            with: "prompt_tokens: {fixed: 300, maximum: 400}\n    shared_prefix: {tokens: 400}")
        #expect(
            try fixture.told(long).contains { $0.contains("at most 400 tokens and start with a shared prefix of 400") })
    }
}
