import FleetModel
import Formats
import Simulation
import Units

/// `timeline.csv`: one row for each pool and interval, each column named with its unit.
///
/// Counts and tokens are sums over the interval; replicas, queue, running sequences and the cost rate are levels at its
/// end. A latency of no request is an empty field, and so is what nobody measured of a live period.
public struct TimelineFile: Sendable {
    public let text: String

    public init(_ result: RunResult) {
        var csv = CSVWriter(columns: Self.columns)
        for row in result.timeline { csv.row(Self.fields(row)) }
        text = csv.text
    }

    static let columns = [
        "time", "span_s", "pool", "arrived_requests", "completed_requests", "rejected_requests", "failed_requests",
        "ended_requests", "met_requests", "offered_prompt_tokens", "offered_output_tokens", "output_tokens",
        "first_tokens", "ttft_mean_ms", "ttft_max_ms", "ready_replicas", "starting_replicas", "draining_replicas",
        "target_replicas", "queue_depth_requests", "running_sequences", "utilization_ratio", "kv_utilization_ratio",
        "cost_rate_usd_per_hour",
    ]

    private static func fields(_ row: TimelineRow) -> [String] {
        let counts: [Int64?] = [row.arrived, row.completed, row.rejected, row.failed, row.ended, row.met]
        let tokens: [Int64?] = [row.promptTokensOffered, row.outputTokensOffered, row.outputTokens, row.firstTokens]
        let levels: [Int?] = [row.ready, row.starting, row.draining, row.target, row.queueDepth, row.running]
        let shares = [row.utilization, row.kvUtilization].map { share in share.map { fixed($0, 4) } ?? "" }
        let ttft = row.firstTokens > 0 ? row.ttftSum.milliseconds / Double(row.firstTokens) : nil
        return [row.time.description, row.span.decimalSeconds, row.pool.name]
            + (counts + tokens).map { $0.map(String.init) ?? "" }
            + [ttft.map { fixed($0, 3) } ?? "", row.firstTokens > 0 ? fixed(row.ttftMax.milliseconds, 3) : ""]
            + levels.map { $0.map(String.init) ?? "" } + shares + [row.costRate.description]
    }
}
