import FleetModel
import NIOPosix
import Testing

@testable import Live
@testable import Units

@Suite("Pages of replicas")
struct MetricsScraperTests {
    @Test(
        "A time in steps that no engine can have is none, and the rest of the page counts",
        arguments: [
            ("12.5", TimeSpan.milliseconds(12_500)), ("NaN", nil), ("+Inf", nil), ("-1", nil), ("1e300", nil),
        ] as [(String, TimeSpan?)])
    func busy(value: String, expected: TimeSpan?) async throws {
        let page = """
            vllm:num_requests_running 3
            vllm:num_requests_waiting 0
            vllm:kv_cache_usage_perc 0.5
            vllm:prompt_tokens_total 10
            vllm:generation_tokens_total 20
            vllm:request_success_total{finished_reason="stop"} 2
            tidegate:step_seconds_total \(value)

            """
        let server = try await OddServer { _ in OddServer.plain("200 OK", page) }
        let endpoint = ReplicaEndpoint(
            id: ReplicaID(1), name: "r1", url: "http://127.0.0.1:\(server.port)", phase: .ready)
        let readings = await MetricsScraper(group: .singleton).scrape(
            [(pool: PoolID("chat"), endpoint: endpoint)], at: .epoch, patience: .seconds(2))
        guard case .sample(let sample, let busy)? = readings.first else {
            Issue.record("no sample: \(readings)")
            return
        }
        #expect(busy == expected && sample.runningSequences == 3)
        try await server.stop()
    }
}
