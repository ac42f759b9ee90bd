import FleetModel
import Formats
import Simulation
import Units

/// `timeline.csv`: one row for each pool and interval, each column named with its unit.
///
/// Counts and tokens are sums over the interval; replicas, queue, running sequences and the cost rate are levels at its
/// end. A latency of no request is an empty field.
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
        let counts = [row.arrived, row.completed, row.rejected, row.failed, row.ended, row.met]
        let tokens = [row.promptTokensOffered, row.outputTokensOffered, row.outputTokens, row.firstTokens]
        let levels = [row.ready, row.starting, row.draining, row.target, row.queueDepth, row.running]
        let ttft = row.firstTokens > 0 ? row.ttftSum.milliseconds / Double(row.firstTokens) : nil
        return [row.time.description, row.span.decimalSeconds, row.pool.name] + (counts + tokens).map { String($0) }
            + [ttft.map { fixed($0, 3) } ?? "", row.firstTokens > 0 ? fixed(row.ttftMax.milliseconds, 3) : ""]
            + levels.map { String($0) }
            + [fixed(row.utilization, 4), fixed(row.kvUtilization, 4), row.costRate.description]
    }
}
