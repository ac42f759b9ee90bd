import Formats
import Foundation
import Simulation
import Testing

/// Public data that lies beside the package on some machines and is no part of it.
private enum Place {
    static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let traces = package.deletingLastPathComponent().appending(path: "shared/data/traces")
    static let exist = FileManager.default.fileExists(atPath: traces.path)
}

@Suite(.enabled(if: Place.exist, "the public traces are not on this machine"))
struct TraceReplayTests {
    @Test(arguments: [
        ("AzureLLMInferenceTrace_conv.csv", Int64(19_366), Int64(22_361_870), Int64(4_088_665)),
        ("AzureLLMInferenceTrace_code.csv", 8_819, 18_059_974, 245_896),
    ])
    func `an ample fleet completes every request of a public trace, token for token`(
        file: String, requests: Int64, promptTokens: Int64, outputTokens: Int64
    ) throws {
        let scenario = try readScenario(trace: file)
        let runs = try (0..<2).map { _ in try Simulation.run(scenario, policy: scenario.policies[0]) }
        #expect(runs[0].outcomes.arrived == requests)
        #expect(runs[0].outcomes.completed == requests)
        #expect(runs[0].outcomes.rejected == 0)
        #expect(runs[0].outcomes.failed == 0)
        #expect(runs[0].outcomes.unfinished == 0)
        #expect(runs[0].promptTokens == promptTokens)
        #expect(runs[0].outputTokens == outputTokens)
        #expect(runs[0].requestNanoseconds == runs[0].sojournNanoseconds)
        #expect(runs[0].fingerprint == runs[1].fingerprint)
    }

    private func readScenario(trace: String) throws -> Scenario {
        let folder = FileManager.default.temporaryDirectory.appending(path: "replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = """
            scenario: replay
            question: Does every request of the trace come back?
            seed: 1
            start: 2026-03-02T18:00:00Z
            slo_classes:
              all: {ttft: 10s, attainment: 50%}
            tenants: [everyone]
            traffic:
              - name: trace
                pool: fleet
                class: all
                tenants: {everyone: 100%}
                trace: {file: \(Place.traces.path)/\(trace)}
            pools:
              - name: fleet
                profile: \(Place.package.path)/Scenarios/profiles/llama-2-70b-h100-tp4.json
                offering: {provider: aws, instance: p5.48xlarge, zone: us-east-1a, capacity: on-demand}
                cold_start: {provision: 3m, pull: 1m, load: 1m, warm_up: 145s}
                replicas: {min: 20, max: 20, initial: 20}
                max_waiting_per_replica: 1000
            prices: [\(Place.package.path)/Scenarios/prices/on-demand.yaml]
            policies:
              - {label: static, policy: static, replicas: 20}

            """
        let path = folder.appending(path: "scenario.yaml")
        try Data(text.utf8).write(to: path)
        return try ScenarioReader.read(path: path.path)
    }
}
