import Scaling
import Simulation
import Testing

@testable import Formats

@Suite("What size may choose from")
struct SizingReaderTests {
    let fixture: ScenarioFixture

    init() throws { fixture = try ScenarioFixture() }

    private static let block = """
        size:
          pools:
            chat:
              - {name: cheap, offering: {provider: aws, instance: p5.48xlarge, zone: us-east-1a, capacity: spot}}
              - {name: wide, engine: {max_num_seqs: 64}, max_waiting_per_replica: 7}
          policies:
            hpa: {target_per_replica: [8, 16], tolerance: [5%]}

        """

    @Test("An alternative is the pool as written but for its own keys")
    func alternatives() throws {
        let reading = try fixture.check(ScenarioFixture.scenario + "\n" + Self.block)
        let scenario = try #require(reading.scenario, "\(reading.diagnostics)")
        let ways = try #require(scenario.sizing?.pools.first)
        #expect(ways.map(\.name) == [nil, "cheap", "wide"])
        #expect(ways[1].configuration.offering.capacityType == .spot)
        #expect(ways[1].configuration.batcher == scenario.pools[0].batcher)
        #expect(ways[2].configuration.batcher.maxSequences == 64)
        #expect(ways[2].configuration.maxWaitingPerReplica == 7)
        #expect(ways[2].configuration.offering == scenario.pools[0].offering)
        #expect(
            scenario.sizing?.grids == [
                PolicyGrid(
                    label: "hpa",
                    axes: [
                        .init("target_per_replica", [.number(8), .number(16)]), .init("tolerance", [.number(0.05)]),
                    ])
            ])
    }

    @Test("The source of a pool reads back to the same pool")
    func source() throws {
        let first = try #require(try fixture.check(ScenarioFixture.scenario + "\n" + Self.block).scenario)
        for way in try #require(first.sizing?.pools.first) {
            let lines = way.source.enumerated().map { "\($0 == 0 ? "  - " : "    ")\($1.key): \($1.value)" }
            let text = ScenarioFixture.scenario
            let start = try #require(text.range(of: "pools:\n")?.upperBound)
            let end = try #require(text.range(of: "prices: [")?.lowerBound)
            let pasted = text[..<start] + lines.joined(separator: "\n") + "\n" + text[end...]
            let second = try #require(try fixture.check(String(pasted)).scenario)
            #expect(second.pools[0].batcher == way.configuration.batcher)
            #expect(second.pools[0].offering == way.configuration.offering)
            #expect(second.pools[0].bounds == way.configuration.bounds)
            #expect(second.pools[0].coldStart == way.configuration.coldStart)
            #expect(second.pools[0].maxWaitingPerReplica == way.configuration.maxWaitingPerReplica)
        }
    }

    @Test("Text with marks of YAML is quoted")
    func quoting() {
        let text = { YAMLNode(content: .scalar($0), position: Position(line: 1, column: 1)).flowText }
        #expect(text("profiles/llama-2.json") == "profiles/llama-2.json")
        #expect(text("a: b, \"c\" #d") == "\"a: b, \\\"c\\\" #d\"")
        #expect(text("a: b") == "\"a: b\"" && text("a, b") == "\"a, b\"")
        #expect(text("") == "\"\"" && text("-x") == "\"-x\"")
    }

    @Test("Mistakes are told where they are")
    func mistakes() throws {
        func told(_ block: String) throws -> String {
            try fixture.told(ScenarioFixture.scenario + "\nsize:\n" + block, fixes: true).joined(separator: "\n")
        }
        #expect(try told("  pools: {cha: []}\n").contains("pool 'cha' does not exist"))
        #expect(try told("  pools: {chat: [{engine: {max_num_seqs: 8}}]}\n").contains("alternative has no 'name'"))
        #expect(try told("  pools: {chat: [{name: a}]}\n").contains("alternative 'a' changes nothing"))
        #expect(try told("  pools: {chat: [{name: a, ruter: round-robin}]}\n").contains("has no key 'ruter'"))
        #expect(try told("  policies: {hpaa: {tolerance: [0.1]}}\n").contains("nearest name: 'hpa'"))
        #expect(try told("  policies: {hpa: {tolerance: [3]}}\n").contains("expected a number from 0 to 1"))
        #expect(try told("  policies: {hpa: {tolerance: []}}\n").contains("has no value to try"))
        #expect(try told("  policies: {static: {replicas: [4]}}\n").contains("both given and to be chosen"))
    }
}
