import FleetModel
import Units

/// What a worker counts from its start: the counters and histograms of vLLM's metrics page.
///
/// - Source: names, bounds and meanings as a running vLLM 0.32.0 exposes them.
struct WorkerMetrics: Sendable {
    static let latencyBounds: [Double] = [
        0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ]
    static let stepTokenBounds: [Double] = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384]
    static let latenessBounds: [Double] = [0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1]

    var promptTokens: UInt64 = 0
    var generationTokens: UInt64 = 0
    var preemptions: UInt64 = 0
    var rejections: UInt64 = 0
    /// By `FinishReason.allCases`.
    var finished = [UInt64](repeating: 0, count: FinishReason.allCases.count)
    var ttft = PrometheusHistogram(upperBounds: BucketCounts.ttftBounds)
    var itl = PrometheusHistogram(upperBounds: BucketCounts.itlBounds)
    var tpot = PrometheusHistogram(upperBounds: BucketCounts.itlBounds)
    var e2e = PrometheusHistogram(upperBounds: latencyBounds)
    var queueTime = PrometheusHistogram(upperBounds: latencyBounds)
    var requestPromptTokens: PrometheusHistogram
    var requestGenerationTokens: PrometheusHistogram
    var stepTokens = PrometheusHistogram(upperBounds: stepTokenBounds)
    /// Time in steps.
    var stepTime = TimeSpan.zero
    /// How late the steps of an emulated engine ended: whether this machine keeps the profile's time.
    var stepLateness = PrometheusHistogram(upperBounds: latenessBounds)

    /// - Parameter maxContext: The longest context: bounds of token counts end there.
    init(maxContext: Int) {
        let bounds = Self.tokenBounds(upTo: maxContext)
        requestPromptTokens = PrometheusHistogram(upperBounds: bounds)
        requestGenerationTokens = PrometheusHistogram(upperBounds: bounds)
    }

    /// 1, 2, 5, 10, 20, 50, … up to the longest context.
    static func tokenBounds(upTo limit: Int) -> [Double] {
        var bounds: [Double] = []
        var power = 1
        while true {
            for digit in [1, 2, 5] {
                guard digit * power <= limit else { return bounds }
                bounds.append(Double(digit * power))
            }
            power *= 10
        }
    }

    mutating func countFinish(_ reason: FinishReason) {
        finished[FinishReason.allCases.firstIndex(of: reason)!] += 1
    }
}
