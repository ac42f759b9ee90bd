import EngineModel
import Formats
import Units

/// A profile held against one operating point: as many requests as were under way, all of the point's lengths.
public struct OperatingPointCheck: Sendable {
    public var point: OperatingPoint
    /// Milliseconds, means over requests after the first of each client.
    public var ttft: Double
    public var tpot: Double

    /// In percent of the measured mean.
    public var ttftError: Double { 100 * (ttft / point.ttft - 1) }
    public var tpotError: Double { 100 * (tpot / point.tpot - 1) }

    /// Requests of each client that are simulated; the first is left out, because all begin at once.
    private static let rounds = 4

    /// - Parameter maxBatchedTokens: What the sources do not say: 8,192, which vLLM and TensorRT-LLM have on these GPUs.
    /// - Throws: ``ValidationError`` when the profile has no room for the requests.
    public init(
        _ point: OperatingPoint, profile: EngineProfile, maxBatchedTokens: Int = 8192
    ) throws(ValidationError) {
        self.point = point
        let engine = MeasuredRun.Engine(
            model: point.model, vllmVersion: point.backendVersion, device: nil, maxSequences: point.concurrency,
            maxBatchedTokens: max(maxBatchedTokens, point.concurrency), maxContext: nil, blockSize: 16, kvBlocks: nil,
            prefixCaching: false, asyncScheduling: true, tensorParallel: point.tensorParallel, dataParallel: 1,
            expertParallel: false)
        let start = Instant(nanoseconds: 0)
        let request = MeasuredRun.Request(
            promptTokens: point.promptTokens, outputTokens: point.outputTokens, arrival: start, queued: start,
            firstToken: start, lastToken: start, blockNames: [])
        let run = MeasuredRun(
            folder: point.id, engine: engine,
            requests: Array(repeating: request, count: Self.rounds * point.concurrency), assumptions: [])
        let outcome = try MeasuredReplay(run, profile: profile, concurrency: point.concurrency).outcome()
        let latencies = LatencySet(
            outcome.requests.dropFirst(point.concurrency).map {
                RequestLatency(
                    queued: $0.queued, firstToken: $0.firstToken, lastToken: $0.lastToken,
                    outputTokens: point.outputTokens)
            })
        (ttft, tpot) = (latencies.ttft.mean * 1000, latencies.tpot.mean * 1000)
    }

    /// Whether a profile claims to be of the engine that a point was measured on.
    public static func applies(_ profile: EngineProfile, to point: OperatingPoint) -> Bool {
        func plain(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }
        let name = point.model.split(separator: "/").last.map(String.init) ?? point.model
        let card = point.system.split(separator: "_").first.map(String.init) ?? point.system
        let engines = ["trtllm": "tensorrtllm", "vllm": "vllm", "sglang": "sglang"]
        return plain(profile.model.split(separator: "/").last.map(String.init) ?? profile.model) == plain(name)
            && plain(profile.hardware).contains(plain(card)) && point.tensorParallel == profile.acceleratorsPerReplica
            && plain(profile.engine).hasPrefix(engines[point.backend] ?? point.backend)
            && ["", "bf16", "fp16"].contains(point.precision) && point.outputTokens > 1
    }
}
