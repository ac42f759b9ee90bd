import EngineModel
import FleetModel

/// Index of a sequence in its batcher; used again after the sequence has left.
public typealias SequenceSlot = Int

/// Which sequences run in the next step of one replica: continuous batching with chunked prefill, as vLLM's V1 engine does it.
///
/// Running sequences go first, one token each; then the prompt that is being prefilled; then waiting sequences, by
/// priority and order of arrival, while there is token budget, room for a sequence and room for its whole prompt in KV
/// blocks. When a running sequence needs a block and none is free, the sequence of lowest priority that was admitted
/// last loses its blocks and waits, first in its lane, to be recomputed; in such a step nothing is admitted.
///
/// The batcher has no clock and never knows an output length: its world calls `finish`. The inference core and the
/// simulator drive the same one.
///
///     let slot = batcher.submit(promptTokens: 900, priority: 0)
///     let plan = batcher.nextStep()            // preempts, admits, reserves blocks
///     batcher.advance(steps: 1)                // the step has run
///     for slot in batcher.completedPrefills { … }   // each has its next token; so has every decoding sequence
///
/// A decode step costs O(1) however large the batch: all decoding sequences advance together (`DecodingBatch`).
public struct Batcher: Sendable {
    public let configuration: BatcherConfiguration

    /// Sequences that lost their blocks in the last `nextStep`, in the order they lost them.
    public private(set) var preempted: [SequenceSlot] = []
    /// Sequences that entered the batch in the last `nextStep`, in order.
    public private(set) var admitted: [SequenceSlot] = []
    /// Sequences whose prompt was completed by the last `advance`, in order; each produced a token.
    public private(set) var completedPrefills: [SequenceSlot] = []

    /// Steps advanced since the start. A decoding sequence produces one token in each.
    public private(set) var stepCount: Int64 = 0
    /// Sequences in the running batch, the one being prefilled included.
    public private(set) var runningCount = 0
    public private(set) var waitingCount = 0
    /// Blocks that can be taken, those that a prefix cache would evict for it included.
    public private(set) var freeBlocks: Int

    private var sequences: [BatchedSequence] = []
    private var freeSlots: [SequenceSlot] = []
    private var running = RunningList()
    private var lanes = WaitingLanes()
    /// The prompt that is partly computed. There is at most one, and it is the last: what stopped it was the budget,
    /// so nothing was admitted behind it.
    private var partial: SequenceSlot = BatchedSequence.none
    private var partialChunk = 0
    /// The prompt that was open when the step was planned. Where the step ends it, budget may be left to open another.
    private var continued: SequenceSlot = BatchedSequence.none

    private var decoding: DecodingBatch
    /// Whether the planned steps give their whole budget to the open prompt, again and again.
    private var isBudgetTaken = false
    /// Steps planned and not yet advanced.
    private var planned: Int64 = 0
    /// The prefix cache, where there is one: in an array, so that a batcher without stays small.
    private var caches: [PrefixCache] = []
    /// The blocks by number, where somebody computes: in an array for the same reason.
    private var pools: [BlockPool] = []
    /// Whether a sequence's blocks are more than a count.
    private let knowsBlocks: Bool
    /// The decoding sequences by length, where a step's skew is asked for: in an array, as the caches are.
    private var lengths: [ContextLengths] = []

    /// - Parameter numbered: Whether blocks have numbers, ``blocks(of:)``, which a core needs and a simulator does not. Each
    ///   step is then planned by itself.
    /// - Parameter tracksSkew: Whether plans tell ``StepFeatures/decodeSkew``: O(log n) a sequence.
    public init(configuration: BatcherConfiguration, numbered: Bool = false, tracksSkew: Bool = false) {
        if tracksSkew { lengths = [ContextLengths()] }
        self.configuration = configuration
        knowsBlocks = configuration.prefixCaching || numbered
        freeBlocks = configuration.totalBlocks
        decoding = DecodingBatch(blockSize: configuration.blockSize)
        if numbered {
            pools = [BlockPool(blockSize: configuration.blockSize, blocks: configuration.totalBlocks)]
        } else if configuration.prefixCaching {
            caches = [PrefixCache(blockSize: configuration.blockSize)]
        }
    }

    // MARK: - Sequences come and go

    /// Adds a sequence to the waiting ones. Allowed at any time; it can run from the next `nextStep`.
    ///
    /// - Parameters:
    ///   - promptTokens: At least 1 and below `maxContext`.
    ///   - priority: A smaller number is served first; equals are served in order of arrival.
    ///   - content: What a prefix cache may find of it; its shared text is no longer than the prompt.
    public mutating func submit(
        promptTokens: Int, priority: Int = 0, content: PromptContent = .none
    ) -> SequenceSlot {
        let slot = enqueue(promptTokens: promptTokens, priority: priority)
        if !caches.isEmpty { caches[0].submit(slot, content, promptTokens: promptTokens) }
        if !pools.isEmpty { pools[0].submit(slot, names: [], tokens: promptTokens) }
        return slot
    }

    /// Adds a sequence whose tokens are known to the waiting ones.
    ///
    /// - Parameters:
    ///   - maxTokens: The most tokens it will have, the prompt included: room for them is made now.
    ///   - names: Of the prompt's whole blocks, where a prefix cache may find them; none otherwise.
    /// - Precondition: blocks are numbered.
    public mutating func submit(
        promptTokens: Int, priority: Int = 0, maxTokens: Int, names: [BlockName]
    ) -> SequenceSlot {
        let slot = enqueue(promptTokens: promptTokens, priority: priority)
        pools[0].submit(slot, names: names, tokens: maxTokens)
        return slot
    }

    private mutating func enqueue(promptTokens: Int, priority: Int) -> SequenceSlot {
        precondition(
            promptTokens >= 1 && promptTokens < configuration.maxContext,
            "a prompt of \(promptTokens) tokens in a context of \(configuration.maxContext)")
        let sequence = BatchedSequence(promptTokens: promptTokens, priority: priority)
        let slot: SequenceSlot
        if let free = freeSlots.popLast() {
            slot = free
            sequences[slot] = sequence
        } else {
            slot = sequences.count
            sequences.append(sequence)
        }
        lanes.append(slot, priority: priority)
        waitingCount += 1
        return slot
    }

    /// Whether a sequence submitted now might enter the very next step: whether a run of equal steps must be cut for it.
    /// While one prompt takes the whole budget, none can.
    public var admitsMore: Bool { runningCount < configuration.maxSequences && !isBudgetTaken }

    /// Tells the name of the next whole block of a sequence, when its answer has filled one.
    ///
    /// - Precondition: blocks are numbered.
    public mutating func append(_ name: BlockName, to slot: SequenceSlot) { pools[0].append(name, to: slot) }

    /// Takes out a running sequence that has all its tokens, and frees its blocks: with a prefix cache whose blocks are not
    /// numbered, at `nextStep`.
    ///
    /// - Precondition: no step is planned and unfinished.
    public mutating func finish(_ slot: SequenceSlot) {
        precondition(planned == 0, "a sequence leaves between steps")
        removeFromRunning(slot)
        recycle(slot)
    }

    /// Lets a decoding sequence have no more steps, but keep its place and its blocks until `finish`.
    ///
    /// An engine that schedules asynchronously plans a step before it has seen the tokens of the one before: what ended in
    /// that one is still there.
    ///
    /// - Precondition: no step is planned and unfinished.
    public mutating func retire(_ slot: SequenceSlot) {
        precondition(planned == 0 && isDecoding(slot), "sequence \(slot) has no steps to end")
        let context = context(of: slot)
        decoding.leave(context: context, step: stepCount)
        sequences[slot].state = .retired
        sequences[slot].computed = context
        sequences[slot].target = context
    }

    /// Takes out a sequence in any state. A waiting one may be cancelled at any time, a running one between steps.
    public mutating func cancel(_ slot: SequenceSlot) {
        switch sequences[slot].state {
        case .waiting:
            // The queue still names the slot; it is passed over and recycled when it comes to the front.
            sequences[slot].state = .cancelled
            waitingCount -= 1
        case .prefilling, .decoding, .retired:
            finish(slot)
        case .cancelled, .free:
            preconditionFailure("sequence \(slot) has left already")
        }
    }

    public func isWaiting(_ slot: SequenceSlot) -> Bool { sequences[slot].state == .waiting }

    /// Whether each step gives the sequence a token.
    public func isDecoding(_ slot: SequenceSlot) -> Bool { sequences[slot].state == .decoding }

    /// Tokens of the sequence whose keys and values are cached.
    public func context(of slot: SequenceSlot) -> Int {
        let sequence = sequences[slot]
        return sequence.state == .decoding
            ? sequence.computed + Int(stepCount - sequence.joinedStep) : sequence.computed
    }

    /// Tokens the sequence has produced so far.
    public func generatedTokens(of slot: SequenceSlot) -> Int {
        let sequence = sequences[slot]
        // The newest token is not cached yet: the next step feeds it.
        return sequence.state == .decoding ? context(of: slot) - sequence.promptTokens + 1 : sequence.generated
    }

    /// Blocks of a running sequence that are in no prefix cache.
    func ownBlocks(of slot: SequenceSlot) -> Int {
        let sequence = sequences[slot]
        let computed = sequence.state == .decoding ? context(of: slot) : sequence.target
        let planned = sequence.state == .decoding && self.planned > 0 ? 1 : 0
        return configuration.blocks(for: computed + planned) - (cache?.namedBlocks(of: slot) ?? 0)
    }

    /// The numbers of a running sequence's blocks, in order of its tokens: token i lies in block `i / blockSize` at offset
    /// `i % blockSize`. In `nextStep` they come to suffice for the step; none for a sequence that waits.
    ///
    /// - Precondition: blocks are numbered.
    public func blocks(of slot: SequenceSlot) -> [Int] { pools[0].blocks(of: slot) }

    /// What prompts found in the prefix cache; `nil` without one.
    public var prefixCache: PrefixCacheCounts? {
        configuration.prefixCaching ? pools.first?.counts ?? caches[0].counts : nil
    }

    /// The cache itself, for tests; `nil` without one.
    var cache: PrefixCache? { caches.first }
    /// The numbered blocks, for tests.
    var pool: BlockPool? { pools.first }

    /// Used over all blocks; one that is cached and that nobody holds counts as free. Range: 0...1.
    public var kvUtilization: Double {
        Double(configuration.totalBlocks - freeBlocks) / Double(configuration.totalBlocks)
    }

    // MARK: - Steps

    /// Decides the next step: preempts where blocks have run out, continues the open prompt, admits what fits.
    ///
    /// - Parameter limit: Equal steps that the world could make use of: no more are planned. At least 1.
    /// - Precondition: the step planned before has been advanced.
    public mutating func nextStep(limit: Int64 = .max) -> StepPlan {
        precondition(planned == 0, "a step is planned already")
        if !preempted.isEmpty { preempted.removeAll(keepingCapacity: true) }
        if !admitted.isEmpty { admitted.removeAll(keepingCapacity: true) }

        if knowsBlocks { settleDepartures() }
        while decoding.nextBlocks > freeBlocks { preemptLast() }
        freeBlocks -= decoding.nextBlocks
        if !pools.isEmpty { takeNextBlocks() }

        var features = StepFeatures(decodeSequences: Int64(decoding.count), decodeContext: decoding.context)
        if !lengths.isEmpty { features.decodeSkew = skew() }
        var budget = configuration.maxBatchedTokens - decoding.count
        let wholeBudget = budget
        partialChunk = 0
        if partial != BatchedSequence.none {
            let sequence = sequences[partial]
            partialChunk = min(sequence.target - sequence.computed, budget)
            budget -= partialChunk
            if partialChunk > 0 {
                features.addChunk(tokens: Int64(partialChunk), context: Int64(sequence.computed))
            }
        }
        continued = partial
        if preempted.isEmpty { admit(within: &budget, into: &features) }

        isBudgetTaken = partial != BatchedSequence.none && partialChunk == wholeBudget
        if features.isDecodeOnly && decoding.count == 0 { return StepPlan(features: features, equalSteps: 0) }
        // After a preemption the next step may admit, so this one is not repeated.
        planned = preempted.isEmpty && pools.isEmpty ? 1 + stepsLike(features, limit: limit - 1) : 1
        return StepPlan(features: features, equalSteps: planned)
    }

    /// Tells that `steps` of the planned steps have run.
    ///
    /// With `continuing`, the rest of the plan stays planned: the world looked at the replica between two equal steps
    /// without a scheduling decision being due.
    ///
    /// - Precondition: `1 <= steps <= equalSteps` of the plan, and fewer when continuing.
    public mutating func advance(steps: Int64, continuing: Bool = false) {
        precondition(steps >= 1 && (continuing ? steps < planned : steps <= planned), "\(steps) of \(planned) steps")
        if !completedPrefills.isEmpty { completedPrefills.removeAll(keepingCapacity: true) }
        // The first step's blocks were taken when it was planned.
        let last = stepCount + steps - (continuing ? 0 : 1)
        if last > stepCount { freeBlocks -= decoding.blocksNeeded(inStepsAfterNext: last - stepCount) }
        stepCount += steps
        decoding.advance(steps: steps)
        planned = continuing ? planned - steps : 0
        if !continuing { isBudgetTaken = false }
        if continued != BatchedSequence.none || !admitted.isEmpty { finishChunks(steps: Int(steps)) }
        // What goes on is a prompt that has the steps to itself, whether or not it was admitted in the first of them.
        if continuing { continued = partial }
    }

    /// Calls `body` for each sequence of the planned step, in order of admission: the sequence, its cached tokens, the
    /// tokens to compute now, and whether it produces a token.
    ///
    /// - Precondition: a step is planned.
    public func forEachScheduled(
        _ body: (_ slot: SequenceSlot, _ start: Int, _ count: Int, _ producesToken: Bool) throws -> Void
    ) rethrows {
        precondition(planned > 0, "no step is planned")
        var slot = running.first
        while slot != BatchedSequence.none {
            let sequence = sequences[slot]
            if sequence.state == .decoding {
                try body(slot, context(of: slot), 1, true)
            } else {
                let count = chunk(of: slot)
                if count > 0 { try body(slot, sequence.computed, count, sequence.computed + count == sequence.target) }
            }
            slot = sequence.next
        }
    }

    // MARK: - Planning

    @inline(__always)
    private mutating func admit(within budget: inout Int, into features: inout StepFeatures) {
        while budget > 0, runningCount < configuration.maxSequences, let slot = firstWaiting() {
            let target = sequences[slot].promptTokens + sequences[slot].generated
            let blocks = configuration.blocks(for: target)
            guard let found = takeBlocks(blocks, for: slot, tokens: target) else { return }
            lanes.removeFirst()
            waitingCount -= 1
            let tokens = min(target - found, budget)
            budget -= tokens
            features.addChunk(tokens: Int64(tokens), context: Int64(found))
            sequences[slot].state = .prefilling
            sequences[slot].computed = found
            sequences[slot].target = target
            running.append(slot, in: &sequences)
            runningCount += 1
            admitted.append(slot)
            if found + tokens < target {
                partial = slot
                partialChunk = tokens
            }
        }
    }

    /// Takes the blocks of a whole prompt.
    ///
    /// - Returns: Its tokens that are computed already; `nil` when too few blocks are free.
    @inline(__always)
    private mutating func takeBlocks(_ blocks: Int, for slot: SequenceSlot, tokens: Int) -> Int? {
        if knowsBlocks { return admit(slot, tokens: tokens, blocks: blocks) }
        guard blocks <= freeBlocks else { return nil }
        freeBlocks -= blocks
        return 0
    }

    /// The tokens that the planned step computes of a prompt: all that is left of it, unless it is the open one.
    private func chunk(of slot: SequenceSlot) -> Int {
        slot == partial ? partialChunk : sequences[slot].target - sequences[slot].computed
    }

    /// Steps after the planned one that are like it, up to `limit`: as many as the blocks suffice for, and with an open
    /// prompt those in which it takes the whole budget.
    private func stepsLike(_ features: StepFeatures, limit: Int64) -> Int64 {
        var steps = limit
        if !features.isDecodeOnly {
            guard isBudgetTaken, !configuration.prefixCaching || !caches[0].hasDuplicates(aheadOf: partial) else {
                return 0
            }
            let sequence = sequences[partial]
            steps = min(steps, Int64((sequence.target - sequence.computed) / partialChunk - 1))
        }
        return decoding.count == 0 ? steps : decoding.stepsUntilBlocksRunOut(free: freeBlocks, limit: steps)
    }

    private mutating func finishChunks(steps: Int) {
        if continued != BatchedSequence.none { finishChunk(of: continued, steps: steps) }
        for slot in admitted { finishChunk(of: slot, steps: steps) }
        if !admitted.isEmpty { admitted.removeAll(keepingCapacity: true) }
    }

    @inline(__always)
    private mutating func finishChunk(of slot: SequenceSlot, steps: Int) {
        sequences[slot].computed += chunk(of: slot) * steps
        if knowsBlocks { complete(slot, tokens: sequences[slot].computed) }
        guard sequences[slot].computed == sequences[slot].target else { return }
        if partial == slot { partial = BatchedSequence.none }
        sequences[slot].state = .decoding
        sequences[slot].joinedStep = stepCount
        decoding.join(context: sequences[slot].target, step: stepCount)
        if !lengths.isEmpty { lengths[0].insert(slot, of: sequences, running: runningCount) }
        completedPrefills.append(slot)
    }

    // MARK: - Blocks

    /// Takes the blocks of the running sequence of lowest priority, of those the one admitted last, and sends it to the
    /// front of its lane.
    private mutating func preemptLast() {
        precondition(runningCount > 1, "a sequence alone outgrew \(configuration.totalBlocks) blocks")
        // What has all its tokens is not computed again.
        var victim = running.last
        while sequences[victim].state == .retired { victim = sequences[victim].previous }
        if lanes.haveSeveralPriorities {
            var slot = sequences[victim].previous
            while slot != BatchedSequence.none {
                if sequences[slot].state != .retired, sequences[slot].priority > sequences[victim].priority {
                    victim = slot
                }
                slot = sequences[slot].previous
            }
        }
        let generated = generatedTokens(of: victim)
        removeFromRunning(victim)
        if knowsBlocks { settleDepartures() }
        sequences[victim].generated = generated
        sequences[victim].computed = 0
        sequences[victim].state = .waiting
        lanes.prepend(victim, priority: sequences[victim].priority)
        waitingCount += 1
        preempted.append(victim)
    }

    // MARK: - Lists

    private mutating func removeFromRunning(_ slot: SequenceSlot) {
        let sequence = sequences[slot]
        switch sequence.state {
        case .decoding:
            let context = context(of: slot)
            decoding.leave(context: context, step: stepCount)
            giveBack(configuration.blocks(for: context), of: slot, computed: context)
        case .retired:
            giveBack(configuration.blocks(for: sequence.computed), of: slot, computed: sequence.computed)
        case .prefilling:
            giveBack(configuration.blocks(for: sequence.target), of: slot, computed: sequence.computed)
            if partial == slot { partial = BatchedSequence.none }
        case .waiting, .cancelled, .free:
            preconditionFailure("sequence \(slot) is not running")
        }
        running.remove(slot, in: &sequences)
        runningCount -= 1
    }

    /// KV tokens by which the decoding sequences fall short of a batch in which all are as long as the longest.
    private mutating func skew() -> Int64 {
        guard let longest = lengths[0].longest(of: sequences) else { return 0 }
        return Int64(decoding.count) * (longest + stepCount) - decoding.context
    }

    private mutating func giveBack(_ blocks: Int, of slot: SequenceSlot, computed tokens: Int) {
        if knowsBlocks { leave(slot, tokens: tokens, blocks: blocks) } else { freeBlocks += blocks }
    }

    // MARK: - Blocks that are more than a count

    private mutating func settleDepartures() {
        if pools.isEmpty { caches[0].settleDepartures(free: &freeBlocks) }
    }

    private mutating func admit(_ slot: SequenceSlot, tokens: Int, blocks: Int) -> Int? {
        guard !pools.isEmpty else { return caches[0].admit(slot, tokens: tokens, blocks: blocks, free: &freeBlocks) }
        let found = pools[0].admit(slot, tokens: tokens, blocks: blocks)
        freeBlocks = pools[0].freeCount
        return found
    }

    private mutating func complete(_ slot: SequenceSlot, tokens: Int) {
        guard !pools.isEmpty else { return caches[0].complete(slot, tokens: tokens, free: &freeBlocks) }
        pools[0].complete(slot, tokens: tokens)
        freeBlocks = pools[0].freeCount
    }

    private mutating func leave(_ slot: SequenceSlot, tokens: Int, blocks: Int) {
        guard !pools.isEmpty else { return caches[0].leave(slot, tokens: tokens, blocks: blocks) }
        pools[0].leave(slot, tokens: tokens)
        freeBlocks = pools[0].freeCount
    }

    /// Gives each decoding sequence whose blocks are full its next one: those that were taken by count.
    private mutating func takeNextBlocks() {
        var slot = running.first
        while slot != BatchedSequence.none {
            if sequences[slot].state == .decoding, context(of: slot) % configuration.blockSize == 0 {
                pools[0].take(for: slot)
            }
            slot = sequences[slot].next
        }
        precondition(pools[0].freeCount == freeBlocks, "\(pools[0].freeCount) blocks are free, not \(freeBlocks)")
    }

    private mutating func recycle(_ slot: SequenceSlot) {
        sequences[slot].state = .free
        freeSlots.append(slot)
    }

    /// The waiting sequence that is served next.
    private mutating func firstWaiting() -> SequenceSlot? {
        waitingCount > 0 ? lanes.first(of: &sequences, free: &freeSlots) : nil
    }
}
