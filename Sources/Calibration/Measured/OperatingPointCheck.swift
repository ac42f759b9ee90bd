import EngineModel
import Formats
import Randomness
import Units

/// A profile held against one operating point, played as benchmarks measure it: all clients begin at once, each sends its
/// next request when it has an answer, and every request counts, those of the first rush too.
public struct OperatingPointCheck: Sendable {
    public var point: OperatingPoint
    /// Milliseconds, means over all requests.
    public var ttft: Double
    public var tpot: Double

    /// In percent of the measured mean.
    public var ttftError: Double { 100 * (ttft / point.ttft - 1) }
    public var tpotError: Double { 100 * (tpot / point.tpot - 1) }

    /// Requests of each client: `num_prompts` is ten times the concurrency in InferenceX, and by habit elsewhere.
    private static let rounds = 10
    /// The shortest length, as a share of the point's: `random-range-ratio` of InferenceX. Equal lengths would keep all
    /// clients in step, which no benchmark's do for long.
    private static let shortest = 0.8

    /// - Parameters:
    ///   - waiting: Requests of those under way that have no place in the engine; see ``waitingClients(among:like:)``.
    ///   - maxBatchedTokens: What the sources do not say: 8,192, which vLLM and TensorRT-LLM have on these GPUs.
    /// - Throws: ``ValidationError`` when the profile has no room for the requests.
    public init(
        _ point: OperatingPoint, profile: EngineProfile, waiting: Int = 0, maxBatchedTokens: Int = 8192
    ) throws(ValidationError) {
        self.point = point
        let engine = MeasuredRun.Engine(
            model: point.model, vllmVersion: point.backendVersion, device: nil,
            maxSequences: max(1, point.concurrency - waiting),
            maxBatchedTokens: max(maxBatchedTokens, point.concurrency), maxContext: nil, blockSize: 16, kvBlocks: nil,
            prefixCaching: false, asyncScheduling: true, tensorParallel: point.tensorParallel, dataParallel: 1,
            expertParallel: false)
        let run = MeasuredRun(folder: point.id, engine: engine, requests: Self.requests(of: point), assumptions: [])
        let outcome = try MeasuredReplay(run, profile: profile, concurrency: point.concurrency).outcome()
        let latencies = LatencySet(
            zip(outcome.requests, run.requests).map {
                RequestLatency(
                    queued: $0.queued, firstToken: $0.firstToken, lastToken: $0.lastToken,
                    outputTokens: $1.outputTokens)
            })
        (ttft, tpot) = (latencies.ttft.mean * 1000, latencies.tpot.mean * 1000)
    }

    private static func requests(of point: OperatingPoint) -> [MeasuredRun.Request] {
        let draws = CounterStream(seed: 1, names: "operating-point", point.id)
        let start = Instant(nanoseconds: 0)
        func length(_ longest: Int, _ draw: Int) -> Int {
            let share = shortest + (1 - shortest) * draws.uniform(at: UInt64(draw))
            return max(2, Int((Double(longest) * share).rounded()))
        }
        return (0..<(rounds * point.concurrency)).map { index in
            MeasuredRun.Request(
                promptTokens: length(point.promptTokens, 2 * index),
                outputTokens: length(point.outputTokens, 2 * index + 1), arrival: start, queued: start,
                firstToken: start, lastToken: start, blockNames: [])
        }
    }

    /// How many of the clients' requests had no place in the engine of a model's points, on average.
    ///
    /// By Little's law each waiting request adds one answer's time over the clients to the mean TTFT, so the mean TTFT
    /// grows with the output: its growth between points that differ in nothing but their output tokens, in units of
    /// what their answers took longer over the clients, is the number of waiting requests. Read of up to 64 clients,
    /// because beyond them the first rush hides it. The median, rounded; 0 where no two points tell.
    public static func waitingClients(among table: [OperatingPoint], like point: OperatingPoint) -> Int {
        var ratios: [Double] = []
        for (index, short) in table.enumerated() where short.isLike(point) && short.concurrency <= 64 {
            for long in table[(index + 1)...] where long.isLike(point) {
                guard long.promptTokens == short.promptTokens, long.concurrency == short.concurrency,
                    long.tensorParallel == short.tensorParallel, long.outputTokens != short.outputTokens
                else { continue }
                ratios.append((long.ttft - short.ttft) * Double(long.concurrency) / (long.answer - short.answer))
            }
        }
        guard !ratios.isEmpty else { return 0 }
        return max(0, Int(ratios.sorted()[ratios.count / 2].rounded()))
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

extension OperatingPoint {
    /// Milliseconds from the first token to the last.
    fileprivate var answer: Double { Double(outputTokens - 1) * tpot }

    /// Whether both are of one model, engine, version and card.
    fileprivate func isLike(_ other: OperatingPoint) -> Bool {
        (model, backend, backendVersion, system, precision)
            == (other.model, other.backend, other.backendVersion, other.system, other.precision)
    }
}
