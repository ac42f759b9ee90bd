import EngineModel
import Serving

/// A replica of the inference core: the shared batcher decides, the decoder computes, samplers choose the tokens.
///
///     var worker = CoreWorker(decoder: decoder, configuration: limits)
///     let id = try worker.submit(CoreRequest(tokens: prompt))
///     while let report = worker.step() {
///         for produced in report.produced { … }        // the request and its token
///     }
///
/// A request that is preempted is recomputed from its prompt and the tokens it had, and goes on with the same ones. Of a
/// request that has ended nothing is kept.
public struct CoreWorker {
    /// A submitted request, counted from 0 and never used again.
    public typealias RequestID = Int

    public let decoder: TransformerDecoder
    public private(set) var batcher: Batcher
    /// What is in the batcher's slots.
    private var requests: [Request?] = []
    private(set) var slots: [RequestID: SequenceSlot] = [:]
    private var submitted = 0
    // Kept from step to step for their room.
    private var report = CoreStepReport()
    private var entries: [StepEntry] = []
    /// The slot of each entry.
    private var owners: [SequenceSlot] = []
    private var producers: [Producer] = []
    private var scratch = SamplingScratch()

    private struct Request {
        var id: RequestID
        /// Prompt, then what was generated.
        var tokens: [Int32]
        var promptTokens: Int
        var sampler: Sampler
        var names: BlockNames
        /// Where an embedding is wanted.
        var pooled: PooledText?
    }

    /// A row of the step's logits that gives a sequence its next token.
    private struct Producer {
        var row: Int
        var slot: SequenceSlot
    }

    /// - Precondition: the limits name blocks of 16 tokens, no more of them than the decoder has, and a context within
    ///   the decoder's.
    public init(decoder: TransformerDecoder, configuration: BatcherConfiguration) {
        precondition(
            configuration.blockSize == TransformerDecoder.blockSize, "blocks of \(configuration.blockSize) tokens")
        precondition(configuration.totalBlocks <= decoder.kvBlocks, "\(configuration.totalBlocks) KV blocks")
        precondition(configuration.maxContext <= decoder.maxContext, "a context of \(configuration.maxContext) tokens")
        self.decoder = decoder
        batcher = Batcher(configuration: configuration, numbered: true)
    }

    // MARK: - Requests come and go

    /// Adds a request to the waiting ones. Allowed between steps, at any time.
    ///
    /// - Throws: ``CoreRequestError`` for a request that can never run.
    public mutating func submit(_ request: CoreRequest) throws(CoreRequestError) -> RequestID {
        try check(request)
        let most = request.tokens.count + (request.pooling == nil ? request.sampling.maxTokens : 1)
        var names = BlockNames(salt: request.cacheSalt)
        var known: [BlockName] = []
        // Of what is cached the states are not kept, and a mean needs those of all tokens.
        if batcher.configuration.prefixCaching, request.pooling != .mean {
            while let name = names.next(of: request.tokens) { known.append(name) }
        }
        let slot = batcher.submit(
            promptTokens: request.tokens.count, priority: request.priority, maxTokens: most, names: known)
        while requests.count <= slot { requests.append(nil) }
        let id = submitted
        submitted += 1
        slots[id] = slot
        var tokens = request.tokens
        // Room for the answer as well, so that no step has to find it.
        tokens.reserveCapacity(most)
        requests[slot] = Request(
            id: id, tokens: tokens, promptTokens: tokens.count,
            sampler: Sampler(request.pooling == nil ? request.sampling : .greedy, prompt: request.tokens), names: names,
            pooled: request.pooling.map(PooledText.init))
        return id
    }

    private func check(_ request: CoreRequest) throws(CoreRequestError) {
        let vocabulary = decoder.weights.configuration.vocabulary
        var sampling = request.sampling
        if request.pooling != nil {
            sampling = .greedy
            sampling.maxTokens = 1
        }
        if let (field, problem) = sampling.problem { throw .sampling(field: field, problem: problem) }
        if let token = sampling.logitBias.keys.filter({ $0 < 0 || Int($0) >= vocabulary }).min() {
            throw .sampling(field: "logit_bias", problem: "names token \(token), which is not in the vocabulary")
        }
        if request.tokens.isEmpty { throw .emptyPrompt }
        let (context, prompt) = (batcher.configuration.maxContext, request.tokens.count)
        guard prompt < context, sampling.maxTokens <= context - prompt else {
            throw .contextExceeded(promptTokens: prompt, maxTokens: sampling.maxTokens, maxContext: context)
        }
        for (position, token) in request.tokens.enumerated() where token < 0 || Int(token) >= vocabulary {
            throw .unknownToken(token, position: position)
        }
    }

    /// Ends a request that has all the text it wanted, and frees its blocks.
    ///
    /// - Returns: Whether there was such a request: not one that has ended already.
    @discardableResult
    public mutating func finish(_ id: RequestID) -> Bool { cancel(id) }

    /// Takes out a request that nobody waits for any more, in whatever state it is, and frees its blocks.
    ///
    /// - Returns: Whether there was such a request: not one that has ended already.
    @discardableResult
    public mutating func cancel(_ id: RequestID) -> Bool {
        guard let slot = slots[id] else { return false }
        remove(slot)
        return true
    }

    private mutating func remove(_ slot: SequenceSlot) {
        batcher.cancel(slot)
        slots[requests[slot]!.id] = nil
        requests[slot] = nil
    }

    /// The tokens generated so far for a request; `nil` when it has ended.
    public func output(of id: RequestID) -> ArraySlice<Int32>? {
        slots[id].map { requests[$0]!.tokens[requests[$0]!.promptTokens...] }
    }

    public var runningCount: Int { batcher.runningCount }
    public var waitingCount: Int { batcher.waitingCount }
    public var isIdle: Bool { slots.isEmpty }
    /// Used KV blocks over all. Range: 0...1.
    public var kvUtilization: Double { batcher.kvUtilization }
    /// What prompts found in the prefix cache; `nil` without one.
    public var prefixCache: PrefixCacheCounts? { batcher.prefixCache }

    // MARK: - Steps

    /// Runs the next step; `nil` when there is nothing to run.
    public mutating func step() -> CoreStepReport? {
        let plan = batcher.nextStep()
        report.clear()
        report.features = plan.features
        for slot in batcher.preempted { report.preempted.append(requests[slot]!.id) }
        guard !plan.isEmpty else { return nil }
        for slot in batcher.admitted {
            report.admitted.append(.init(request: requests[slot]!.id, cachedTokens: batcher.context(of: slot)))
        }
        schedule()
        decoder.step(entries)
        pool()
        // Before blocks and tokens change: a second holder would make them be copied.
        entries.removeAll(keepingCapacity: true)
        batcher.advance(steps: 1)
        for producer in producers { produce(producer) }
        return report
    }

    /// Lists what the decoder computes in the planned step.
    private mutating func schedule() {
        producers.removeAll(keepingCapacity: true)
        owners.removeAll(keepingCapacity: true)
        batcher.forEachScheduled { slot, start, count, producesToken in
            if producesToken { producers.append(Producer(row: entries.count, slot: slot)) }
            // A chunk that does not end its prompt gets logits too, and nobody reads them: vLLM does the same, and it
            // keeps the cost of a step a matter of its token counts.
            var entry = StepEntry(
                blocks: batcher.blocks(of: slot), start: start,
                tokens: requests[slot]!.tokens[start..<(start + count)])
            entry.keepsStates = requests[slot]!.pooled != nil
            entries.append(entry)
            owners.append(slot)
        }
    }

    /// Adds the states of the step's tokens to the embeddings that are under way.
    private mutating func pool() {
        let hidden = decoder.weights.configuration.hidden
        for (index, slot) in owners.enumerated() where entries[index].keepsStates {
            requests[slot]!.pooled!.add(
                decoder.hiddenStates(ofEntry: index), width: hidden, isFirst: entries[index].start == 0)
        }
    }

    /// Chooses a sequence's next token, and ends it where that is its last.
    private mutating func produce(_ producer: Producer) {
        let slot = producer.slot
        let id = requests[slot]!.id
        if let pooled = requests[slot]!.pooled {
            report.finished.append(.init(request: id, end: .embedded(pooled.embedding)))
            remove(slot)
            return
        }
        do throws(SamplingError) {
            let choice = try requests[slot]!.sampler.next(
                decoder.logitBuffer(ofRow: producer.row), using: &scratch)
            append(choice.token, to: slot)
            report.produced.append(.init(request: id, choice: choice))
            guard let end = end(of: slot, after: choice.token) else { return }
            report.finished.append(.init(request: id, end: end))
        } catch {
            report.finished.append(.init(request: id, end: .failed(error)))
        }
        remove(slot)
    }

    private mutating func append(_ token: Int32, to slot: SequenceSlot) {
        requests[slot]!.tokens.append(token)
        guard batcher.configuration.prefixCaching,
            let name = requests[slot]!.names.next(of: requests[slot]!.tokens)
        else { return }
        batcher.append(name, to: slot)
    }

    private func end(of slot: SequenceSlot, after token: Int32) -> CoreStepReport.End? {
        let request = requests[slot]!
        let sampling = request.sampler.parameters
        if sampling.stopTokens.contains(token) { return .stop }
        return request.tokens.count - request.promptTokens == sampling.maxTokens ? .length : nil
    }
}
