import Foundation
import Testing
import Units

@testable import Formats

@Suite("Measured runs")
struct MeasuredRunTests {
    static let meta = """
        {"model": "m", "vllm_version": "0.19.0", "engine_kwargs": {"max_num_seqs": 4, "max_num_batched_tokens": 64,
         "max_model_len": null, "tensor_parallel_size": 2}, "kv_cache": {"num_gpu_blocks": 10, "block_size": 4,
         "enable_prefix_caching": true}, "resolved_config": {"scheduler_config": {"async_scheduling": false}}}
        """
    static let requests = """
        {"request_id": "a", "input_toks": 5, "output_toks": 3, "arrival_time": 1700000000.5, "queued_ts": 100.25, \
        "scheduled_ts": 100.25, "first_token_ts": 100.75, "last_token_ts": 101.5}
        {"request_id": "b", "input_toks": 9, "output_toks": 1, "arrival_time": 1700000001, "queued_ts": 101, \
        "first_token_ts": 101.125, "last_token_ts": 101.125}

        """
    static let workload = """
        {"input_toks": 5, "output_toks": 3, "arrival_time_ns": 7000, "input_tok_ids": [1, 2, 3, 4, 5]}
        {"input_toks": 9, "output_toks": 1, "arrival_time_ns": 9000, "input_tok_ids": [1,2,3,4,9,9,9,9,9]}

        """

    static func folder(meta: String = meta, requests: String = requests, workload: String? = workload) throws
        -> TemporaryFolder
    {
        let folder = try TemporaryFolder()
        try folder.write("meta.json", Array(meta.utf8))
        try folder.write("requests.jsonl", Array(requests.utf8))
        if let workload { try folder.write("workload_x.jsonl", Array(workload.utf8)) }
        return folder
    }

    @Test("Limits, arrivals, times and the names of blocks are read")
    func whole() throws {
        let folder = try Self.folder()
        let run = try MeasuredRun.read(folder: folder.url.path)
        #expect(run.engine.maxSequences == 4 && run.engine.maxBatchedTokens == 64 && run.engine.maxContext == nil)
        #expect(run.engine.kvBlocks == 10 && run.engine.blockSize == 4 && run.engine.tensorParallel == 2)
        #expect(run.engine.prefixCaching && !run.engine.asyncScheduling && run.assumptions.isEmpty)
        #expect(run.requests.map(\.arrival) == [Instant(nanoseconds: 7000), Instant(nanoseconds: 9000)])
        #expect(run.requests[0].queued == Instant(nanoseconds: 0))
        #expect(run.requests[0].lastToken == Instant(nanoseconds: 1_250_000_000))
        #expect(run.requests[1].queued == Instant(nanoseconds: 750_000_000))
        // The first block is the same four tokens; the second one is another.
        let (a, b) = (run.requests[0].blockNames, run.requests[1].blockNames)
        #expect(a.count == 1 && b.count == 2 && a[0] == b[0] && b[1] != b[0])
    }

    @Test("Without a workload the client's times are the arrivals, and the run says so")
    func noWorkload() throws {
        let folder = try Self.folder(workload: nil)
        let run = try MeasuredRun.read(folder: folder.url.path)
        #expect(run.requests.map(\.arrival.nanoseconds) == [0, 500_000_000])
        #expect(!run.knowsTokens && run.assumptions.count == 1)
    }

    @Test("What the run does not tell is said to be assumed")
    func silent() throws {
        let meta = """
            {"model": "m", "vllm_version": "0.19.0", "engine_kwargs": {"max_num_seqs": 4, "max_num_batched_tokens": 64}}
            """
        let folder = try Self.folder(meta: meta)
        let run = try MeasuredRun.read(folder: folder.url.path)
        #expect(run.engine.asyncScheduling && run.engine.prefixCaching && run.engine.kvBlocks == nil)
        #expect(run.assumptions.count == 3)
    }

    @Test(
        "Each mistake is told with its file and line",
        arguments: [
            ("requests.jsonl", "", "there is no record"),
            ("requests.jsonl", "{\"input_toks\": 5}\n", "is not an object with input_toks"),
            ("requests.jsonl", requests.replacingOccurrences(of: "101.5", with: "100.5"), "in this order"),
            (
                "requests.jsonl", requests.replacingOccurrences(of: "\"output_toks\": 3", with: "\"output_toks\": 0"),
                "output_toks"
            ),
            ("meta.json", "{\"model\": \"m\"}", "engine_kwargs"),
            (
                "meta.json", meta.replacingOccurrences(of: "\"max_num_seqs\": 4", with: "\"max_num_seqs\": 0"),
                "max num seqs"
            ),
            (
                "meta.json", meta.replacingOccurrences(of: "\"num_gpu_blocks\": 10", with: "\"num_gpu_blocks\": 2"),
                "do not fit"
            ),
            ("workload_x.jsonl", "{\"input_toks\": 5, \"output_toks\": 3, \"arrival_time_ns\": 1}\n", "1 requests"),
            (
                "workload_x.jsonl", workload.replacingOccurrences(of: "\"input_toks\": 9", with: "\"input_toks\": 8"),
                "8 tokens"
            ),
            ("workload_x.jsonl", workload.replacingOccurrences(of: "[1, 2", with: "[1, x"), "input_tok_ids"),
        ])
    func mistakes(file: String, text: String, message: String) throws {
        let folder = try Self.folder()
        try folder.write(file, Array(text.utf8))
        let found = #expect(throws: InvalidInput.self) { try MeasuredRun.read(folder: folder.url.path) }
        #expect("\(try #require(found))".contains(message), "\(String(describing: found))")
    }

    @Test("A folder without files names each of them")
    func empty() throws {
        let folder = try TemporaryFolder()
        let found = #expect(throws: InvalidInput.self) { try MeasuredRun.read(folder: folder.url.path) }
        let text = "\(try #require(found))"
        #expect(text.contains("meta.json") && text.contains("requests.jsonl"))
    }

    @Test("The published runs read whole", .enabled(if: Shared.exists, "no data"))
    func published() throws {
        let run = try MeasuredRun.read(folder: Shared.path("profiles/measured_vllm_rtx4090_llama-3.1-8b"))
        #expect(run.requests.count == 300 && run.engine.kvBlocks == 2588 && run.engine.asyncScheduling)
        #expect(run.requests.reduce(0) { $0 + $1.promptTokens } == 257_239)
    }
}
