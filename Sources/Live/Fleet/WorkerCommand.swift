import EngineModel
import FleetModel
import Formats
import Serving
import Simulation
import Units

/// What the workers of a local fleet run.
public enum WorkerExecutor: Hashable, Sendable {
    /// The pool's profile, in real time.
    case emulated
    /// A real model: a path or a preset, computed by so many threads.
    case core(model: String, threads: Int?)
}

/// The command that starts a worker of a pool.
public struct WorkerCommand: Sendable {
    public let executor: WorkerExecutor
    private let program: String
    private let pool: PoolConfiguration
    /// The file of the profile that emulated workers play.
    private let profile: String
    private let seed: UInt64
    /// Where workers send spans.
    private let collector: LoadTarget?

    /// - Parameters:
    ///   - program: The executable of the live plane.
    ///   - folder: Where the profile is written for the workers to read.
    ///   - collector: Where workers send the spans of sampled traces; `nil` for nowhere.
    ///   - stepFactor: Multiplies every step time that workers take, and nothing that a policy believes.
    /// - Throws: `OutputError` when the profile cannot be written.
    public init(
        _ executor: WorkerExecutor, program: String, pool: PoolConfiguration, folder: String, stepFactor: Double = 1,
        seed: UInt64, collector: LoadTarget? = nil
    ) throws(OutputError) {
        self.executor = executor
        self.program = program
        self.pool = pool
        self.seed = seed
        self.collector = collector
        profile = "\(folder)/profile.json"
        guard executor == .emulated else { return }
        var played = pool.profile
        played.stepTime = played.stepTime.scaled(by: stepFactor)
        let text: String
        do {
            text = try EngineProfileFile.text(of: played)
        } catch {
            throw OutputError(path: profile, reason: "\(error)")
        }
        try AtomicOutput.write([("profile.json", text)], to: folder)
    }

    /// The program and its arguments.
    public func words(replica: ReplicaID, readyAt: Instant?) -> [String] {
        let batcher = pool.batcher
        var words = [program, "worker", "--port", "0", "--json", "--served-model-name", pool.id.name]
        words += [
            "--max-num-seqs", "\(batcher.maxSequences)", "--max-num-batched-tokens", "\(batcher.maxBatchedTokens)",
        ]
        words += ["--max-model-len", "\(batcher.maxContext)"]
        // The gateway says how many may wait; the worker only keeps a runaway from filling its memory.
        words += ["--max-queue", "1000000", "--max-connections", "65536"]
        words += [
            "--drain-deadline", "\(max(1, pool.drainDeadline.nanoseconds / 1_000_000_000))s", "--idle-timeout", "1h",
        ]
        if let collector { words += ["--traces", "\(collector)"] }
        switch executor {
        case .emulated:
            words += ["--executor", "emulated", "--profile", profile, "--kv-blocks", "\(batcher.totalBlocks)"]
            words += ["--seed", "\(seed &+ UInt64(replica.number))"]
            if batcher.prefixCaching { words.append("--enable-prefix-caching") }
            if let readyAt { words += ["--ready-at", "\(readyAt.nanoseconds)"] } else { words += ["--no-cold-start"] }
        case .core(let model, let threads):
            words += ["--executor", "core", "--model", model, "--kv-blocks", "\(batcher.totalBlocks)"]
            if let threads { words += ["--threads", "\(threads)"] }
            if !batcher.prefixCaching { words.append("--no-prefix-caching") }
        }
        return words
    }
}
