import FleetModel
import Formats
import Foundation
import Testing
import Units

@testable import Live

@Suite("A live configuration")
struct LiveConfigurationTests {
    private static let digest = Digest(of: "key").hexadecimal
    private static let root = OtherPrograms.root.path

    private static func check(_ text: String) throws -> LiveConfigurationReader.Reading {
        let folder = TestGateway.temporaryFolder()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/live.yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return LiveConfigurationReader.check(path: path)
    }

    @Test("Everything that can be written is read, and pools, classes and tenants are the scenario's")
    func whole() throws {
        let reading = try Self.check(
            """
            scenario: \(Self.root)/Scenarios/laptop
            state: here
            gateway:
              listen: "[::1]:0"
              admin: 127.0.0.1:9
              threads: 2
              retries: 1
              hedging: {after: 2s, share: 10%}
              ejection: {stall: 3s, connect: 1s, back_off: 2s, longest_back_off: 4s}
              limits: {body_bytes: 1M, header_bytes: 8k, connections: 10, idle: 5s, receive: 6s, send: 7s}
              models: {laptop: {upstream: served, aliases: [gpt]}}
              log: none
            tenants:
              app:
                key_sha256: [\(Self.digest), \(Digest(of: "next").hexadecimal)]
                tokens_per_minute: 100k
                requests_per_minute: 60
                daily_budget: 25.50
                max_output_tokens: 100
                max_context: 200
            token_prices: {laptop: {prompt: 0.15, output: 0.60}}
            admin_tokens: [{sha256: \(Self.digest), role: scaler}]
            """)
        let read = try #require(reading.configuration, "\(reading.diagnostics)")
        #expect(read.stateFolder.hasSuffix("/here"))
        #expect(read.gateway.listen == ListenAddress(host: "::1", port: 0))
        #expect(read.gateway.hedging == .some(HedgingRules(after: .seconds(2), share: 0.1)))
        #expect(read.gateway.ejection.longestBackOff == .seconds(4))
        #expect(read.gateway.limits.bodyBytes == 1_000_000)
        #expect(read.gateway.limits.send == .seconds(7))
        let configuration = GatewayConfiguration(read)
        #expect(configuration.pools.map(\.id) == [PoolID("laptop")])
        #expect(configuration.pools[0].names.upstream == .some("served"))
        #expect(configuration.pools[0].price.perMillionOutput == USD("0.60")!)
        #expect(configuration.pools[0].maxSequences == read.scenario.pools[0].batcher.maxSequences)
        #expect(configuration.tenants.map(\.name) == ["app", "nightly"])
        #expect(configuration.tenants[0].keyDigests.count == 2)
        #expect(configuration.tenants[0].dailyBudget == .some(USD("25.50")!))
        #expect(configuration.adminTokens == [AdminToken(digest: Self.digest, role: .scaler)])
    }

    @Test(
        "Each mistake is told with its line",
        arguments: [
            ("tenants: {ap: {key_sha256: \(digest)}}", 2, "is none of the scenario"),
            ("tenants: {app: {key_sha256: 12}}", 2, "is no SHA-256 digest"),
            ("tenants: {app: {tokens_per_minute: 5}}", 2, "no tenant has a key"),
            ("tenants: {app: {key_sha256: \(digest)}, nightly: {key_sha256: \(digest)}}", 2, "the same key"),
            ("tenants: {app: {key_sha256: \(digest), daily_budget: 1}}", 1, "have no price"),
            ("gateway: {authentication: none, listen: nowhere}", 2, "is no address with a port"),
            ("gateway: {authentication: none, admin: 0.0.0.0:1}", 2, "there are no admin tokens"),
            ("gateway: {authentication: none, models: {chat: {}}}", 2, "is none of the scenario"),
            ("gateway: {authentication: none, ejection: {back_off: 5m}}", 2, "below back_off"),
            ("gateway: {authentication: none, retrys: 1}", 2, "has no key 'retrys'"),
            ("gateway: {authentication: none}\nadmin_tokens: [{sha256: \(digest), role: king}]", 3, "role 'king'"),
            ("gateway: {authentication: none}\ntoken_prices: {laptop: {prompt: -1, output: 1}}", 3, "is negative"),
        ] as [(String, Int, String)])
    func mistakes(text: String, line: Int, words: String) throws {
        let reading = try Self.check("scenario: \(Self.root)/Scenarios/laptop\n\(text)\n")
        #expect(reading.configuration == nil)
        let found = reading.diagnostics.map { "\($0)" }
        #expect(found.contains { $0.contains("live.yaml:\(line):") && $0.contains(words) }, "\(found)")
    }

    @Test("A scenario that is not there is told where it is named")
    func noScenario() throws {
        let reading = try Self.check("scenario: nowhere\ngateway: {authentication: none}\n")
        #expect("\(reading.diagnostics)".contains("live.yaml:1:11: error: scenario"))
    }
}
