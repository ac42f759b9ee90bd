import EngineModel
import Serving

/// A replica of the inference core: the shared batcher decides, the decoder computes, and tokens come out.
///
///     var worker = CoreWorker(decoder: decoder, configuration: limits)
///     let id = worker.submit(tokens: prompt, maxTokens: 48)
///     while worker.step() != nil {}
///     worker.output(of: id)
///
/// Greedy: each step appends the most likely token. A sequence that is preempted is recomputed from its prompt and the
/// tokens it had, and continues with the same ones.
public struct CoreWorker {
    /// A submitted request, counted from 0.
    public typealias RequestID = Int

    public let decoder: TransformerDecoder
    public private(set) var batcher: Batcher
    private var tables: BlockTables
    private var requests: [Request] = []
    /// The request that a batcher's slot stands for.
    private var owners: [RequestID] = []

    private struct Request {
        /// Prompt, then what was generated.
        var tokens: [Int32]
        var promptTokens: Int
        var maxTokens: Int
        var finished = false
    }

    /// What one step did.
    public struct StepReport: Hashable, Sendable {
        public var features: StepFeatures
        /// Requests that received a token, in order of the batch.
        public var produced: [RequestID]
        /// Requests that got their last token.
        public var finished: [RequestID]
        /// Requests that lost their blocks before the step, and will be recomputed.
        public var preempted: [RequestID]
    }

    /// - Precondition: the limits name blocks of 16 tokens, no more of them than the decoder has, and a context within
    ///   the decoder's.
    public init(decoder: TransformerDecoder, configuration: BatcherConfiguration) {
        precondition(
            configuration.blockSize == TransformerDecoder.blockSize, "blocks of \(configuration.blockSize) tokens")
        precondition(configuration.totalBlocks <= decoder.kvBlocks, "\(configuration.totalBlocks) KV blocks")
        precondition(configuration.maxContext <= decoder.maxContext, "a context of \(configuration.maxContext) tokens")
        self.decoder = decoder
        batcher = Batcher(configuration: configuration)
        tables = BlockTables(configuration: configuration)
    }

    /// Adds a request to the waiting ones.
    ///
    /// - Parameters:
    ///   - tokens: The prompt, at least one token, all in the vocabulary.
    ///   - maxTokens: Tokens to generate, at least 1; prompt and output together within the longest context.
    ///   - priority: A smaller number is served first.
    public mutating func submit(tokens: [Int32], maxTokens: Int, priority: Int = 0) -> RequestID {
        precondition(
            maxTokens >= 1 && tokens.count + maxTokens <= batcher.configuration.maxContext,
            "\(tokens.count) + \(maxTokens) tokens in a context of \(batcher.configuration.maxContext)")
        let slot = batcher.submit(promptTokens: tokens.count, priority: priority)
        while owners.count <= slot { owners.append(-1) }
        owners[slot] = requests.count
        requests.append(Request(tokens: tokens, promptTokens: tokens.count, maxTokens: maxTokens))
        return requests.count - 1
    }

    /// The tokens generated for a request so far.
    public func output(of id: RequestID) -> ArraySlice<Int32> {
        requests[id].tokens[requests[id].promptTokens...]
    }

    public func isFinished(_ id: RequestID) -> Bool { requests[id].finished }

    /// Runs the next step; `nil` when there is nothing to run.
    public mutating func step() -> StepReport? {
        let plan = batcher.nextStep()
        var report = StepReport(features: plan.features, produced: [], finished: [], preempted: [])
        for slot in batcher.preempted {
            tables.release(slot)
            report.preempted.append(owners[slot])
        }
        guard !plan.isEmpty else { return nil }

        var entries: [StepEntry] = []
        var producers: [(row: Int, slot: SequenceSlot)] = []
        batcher.forEachScheduled { slot, start, count, producesToken in
            tables.reserve(slot, tokens: start + count)
            if producesToken { producers.append((entries.count, slot)) }
            // A chunk that does not end its prompt gets logits too, and nobody reads them: vLLM does the same, and it
            // keeps the cost of a step a matter of its token counts.
            entries.append(
                StepEntry(
                    blocks: tables.blocks(of: slot), start: start,
                    tokens: requests[owners[slot]].tokens[start..<(start + count)]))
        }
        decoder.step(entries)
        batcher.advance(steps: 1)

        for (row, slot) in producers {
            let id = owners[slot]
            requests[id].tokens.append(decoder.greedyToken(ofRow: row))
            report.produced.append(id)
            guard requests[id].tokens.count - requests[id].promptTokens == requests[id].maxTokens else { continue }
            requests[id].finished = true
            batcher.finish(slot)
            tables.release(slot)
            report.finished.append(id)
        }
        return report
    }
}
