import Testing
import Units
import Workload

@testable import Formats

@Suite("Traces")
struct TraceTests {
    @Test(
        "The Azure traces hold the requests and tokens that their table states", .enabled(if: Shared.exists, "no data"),
        arguments: [
            ("conv", 19_366, 22_361_870, 4_088_665, 3501.7, 5.530, 1.52, 1.09, 1020, 4142, 129, 601),
            ("code", 8_819, 18_059_974, 245_896, 3435.9, 2.567, 4.18, 13.15, 1469, 7436, 13, 251),
        ] as [(String, Int, Int64, Int64, Double, Double, Double, Double, Int, Int, Int, Int)])
    func azure(
        name: String, requests: Int, prompt: Int64, output: Int64, span: Double, rate: Double, peak: Double, cv: Double,
        p50: Int, p99: Int, outputP50: Int, outputP99: Int
    ) throws {
        let trace = try FileTrace(path: Shared.path("traces/AzureLLMInferenceTrace_\(name).csv"))
        let summary = try TraceSummary(trace)
        #expect(trace.format == .azure)
        #expect(summary.requests == requests)
        #expect(summary.promptTokens.total == prompt)
        #expect(summary.outputTokens.total == output)
        #expect(abs(summary.span.seconds - span) < 0.05)
        #expect(abs(summary.meanRate! - rate) < 0.0006)
        #expect(abs(summary.peakToMean! - peak) < 0.006)
        #expect(abs(summary.interarrivalCV! - cv) < 0.006)
        #expect(summary.promptTokens.p50 == p50)
        #expect(summary.promptTokens.p99 == p99)
        #expect(summary.outputTokens.p50 == outputP50)
        // The table interpolates between ranks; a summary names a length that occurs.
        #expect(abs(summary.outputTokens.p99 - outputP99) <= 1)
    }

    @Test("A gzip Mooncake trace is recognised and read", .enabled(if: Shared.exists, "no data"))
    func mooncake() throws {
        let trace = try FileTrace(path: Shared.path("traces/mooncake_conversation_trace_first30min.jsonl.gz"))
        let summary = try TraceSummary(trace)
        #expect(trace.format == .mooncake)
        #expect(summary.requests == 5719)
        #expect(summary.promptTokens.p50 == 7640)
        #expect(summary.outputTokens.p99 == 1105)
        #expect(trace.notes.count == 1)
        #expect(trace.notes.first?.hasPrefix("times come in ticks of 2s999ms") == true)
        let records = try trace.allRecords()
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.offset < $1.offset })
    }
}
