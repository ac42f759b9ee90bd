import Foundation
import Testing

@testable import Live

@Suite("A stock Prometheus and a running fleet", .serialized)
struct PrometheusTests {
    @Test(
        "Prometheus scrapes gateway, controller and workers of 'tidegate up', and answers with what they counted",
        .enabled(if: OtherPrograms.prometheus != nil, "\(OtherPrograms.prometheusMissing)"), .timeLimit(.minutes(2)))
    func scrapes() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-prometheus-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let fleet = try Process.started(
            WorkerProcessTests.tidegate,
            [
                "up", OtherPrograms.root.path + "/Scenarios/laptop-burst", "--port", "0", "--status-port", "0",
                "--json",
                "--state", folder + "/state",
            ], output: folder + "/up.json")
        defer { fleet.stop() }
        var serving: [String: Any] = [:]
        try await until("the fleet serves") {
            let lines = (try? String(contentsOfFile: folder + "/up.json", encoding: .utf8)) ?? ""
            serving =
                lines.split(separator: "\n")
                .compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
                .first { $0["event"] as? String == "serving" } ?? [:]
            return !serving.isEmpty
        }
        let port = try #require(Self.port(serving["url"]))
        let admin = try #require(Self.port(serving["admin_url"]))
        let status = try #require(Self.port(serving["status_url"]))
        for _ in 0..<7 {
            let answer = try await HTTP.post(
                port, "/v1/completions", #"{"model":"chat","prompt":"a","max_tokens":2}"#)
            #expect(answer.status == 200)
        }
        let pools = try await HTTP.get(admin, "/admin/v1/pools").json["pools"] as? [[String: Any]]
        let workers = (pools?.first?["replicas"] as? [[String: Any]] ?? []).compactMap { Self.port($0["url"]) }
        #expect(workers.count == 4)

        func job(_ name: String, _ ports: [Int]) -> String {
            let targets = ports.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ",")
            return "  - {job_name: \(name), static_configs: [{targets: [\(targets)]}]}"
        }
        let config = """
            global: {scrape_interval: 1s}
            scrape_configs:
            \(job("gateway", [admin]))
            \(job("controller", [status]))
            \(job("workers", workers))

            """
        try config.write(toFile: folder + "/prometheus.yml", atomically: true, encoding: .utf8)
        let own = try freePort()
        let prometheus = try Process.started(
            OtherPrograms.prometheus!,
            [
                "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                "--web.listen-address=127.0.0.1:\(own)", "--log.level=error",
            ], output: folder + "/prometheus.log")
        defer { prometheus.stop() }
        func value(_ query: String) async throws -> Double? {
            guard let answer = try? await HTTP.get(own, "/api/v1/query?query=\(query.urlEncoded)"),
                let data = answer.json["data"] as? [String: Any], let results = data["result"] as? [[String: Any]]
            else { return nil }
            return (results.first?["value"] as? [Any])?.last.flatMap { "\($0)" }.flatMap { Double($0) }
        }
        try await until("all six are scraped") { try await value("sum(up)") == 6 }
        try await until("the gateway's count is there") {
            try await value(#"sum(tidegate_gateway_arrived_requests_total{pool="chat"})"#) == 7
        }
        #expect(try await value("sum(vllm:request_success_total)") == 7)
        #expect(try await value(#"max(tidegate_desired_replicas{pool="chat"})"#) == 4)
        #expect(
            try await value("histogram_quantile(0.5, sum by (le) (vllm:inter_token_latency_seconds_bucket))") ?? 0 > 0)
    }

    private static func port(_ url: Any?) -> Int? { (url as? String).flatMap { URL(string: $0)?.port } }
}

extension Process {
    /// Starts a program whose output goes to a file.
    fileprivate static func started(_ program: String, _ arguments: [String], output: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = Reaper.environment
        FileManager.default.createFile(atPath: output, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: output + ".err")
        try process.run()
        return process
    }

    fileprivate func stop() {
        terminate()
        waitUntilExit()
    }
}
