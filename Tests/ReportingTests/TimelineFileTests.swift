import Simulation
import Testing
import Units

@testable import Reporting

@Suite("timeline.csv")
struct TimelineFileTests {
    static let file = CSVFile(TimelineFile(Fixture.result).text)

    @Test("It has a row for each pool and interval, whose counts sum to the run's")
    func sums() {
        let result = Fixture.result
        func sum(_ column: String) -> Int64 { Self.file.rows.reduce(0) { $0 + Int64($1[column]!)! } }
        #expect(Self.file.rows.count == result.timeline.count && !result.timeline.isEmpty)
        #expect(sum("arrived_requests") == result.timeline.reduce(0) { $0 + $1.arrived })
        #expect(sum("met_requests") == result.timeline.reduce(0) { $0 + $1.met })
        #expect(sum("offered_output_tokens") == result.timeline.reduce(0) { $0 + ($1.outputTokensOffered ?? 0) })
        #expect(sum("target_replicas") == result.timeline.reduce(0) { $0 + Int64($1.target) })
    }

    @Test("A latency of no request is empty, one of some is not")
    func absent() {
        for (text, row) in zip(Self.file.rows, Fixture.result.timeline) {
            #expect(text["ttft_mean_ms"]!.isEmpty == (row.firstTokens == 0))
            #expect(Instant(text["time"]!) == row.time)
        }
    }

    @Test("Rows merged for a drawing keep counts, the end's levels and the worst latency", arguments: [1, 7, 100])
    func merging(limit: Int) {
        for (_, rows) in Fixture.result.poolTimelines {
            let merged = rows.merged(into: limit)
            #expect(merged.count <= limit)
            #expect(merged.reduce(0) { $0 + $1.arrived } == rows.reduce(0) { $0 + $1.arrived })
            #expect(merged.reduce(.zero) { $0 + $1.span } == rows.reduce(.zero) { $0 + $1.span })
            #expect(merged.last?.ready == rows.last?.ready)
            #expect(merged.map(\.ttftMax).max() == rows.map(\.ttftMax).max())
            #expect(merged.compactMap(\.queueDepth).max() == rows.compactMap(\.queueDepth).max())
        }
    }
}
