import FleetModel

/// The prefix cache of one replica: which blocks a prompt finds computed already, and what becomes of blocks that nobody
/// uses any more. The rules are those of vLLM's V1 engine, block by block; the cost is that of a few segments a request.
///
/// A sequence finds the longest cached prefix of its content in whole blocks, all but one token of its prompt at most. Its
/// own blocks can be found from the step boundary at which they are complete; those filled by its answer from when it
/// leaves. When it leaves, blocks that nobody else holds can be evicted: the least recently released first, and of one
/// sequence the last block first. Blocks without a name are nobody's and are taken before any is evicted.
///
/// It counts, as the batcher does, and knows no block by number. The batcher's `freeBlocks` includes the evictable
/// blocks, and a decode step takes its blocks by count alone: that means evictions where too few others are free, and
/// they are settled before the next thing that could tell the difference.
///
/// Where this differs from vLLM: Docs/Decisions/0009-prefix-cache.md.
struct PrefixCache: Sendable {
    /// What the cache knows of the sequence in one of the batcher's slots.
    private struct Sequence: Sendable {
        var content: PromptContent
        /// Whole blocks of the shared text.
        var sharedBlocks: Int
        /// The contents in `contents`, while it runs; `none` for one it has not.
        var shared = CachedContents.none
        var own = CachedContents.none
        /// Blocks of its context that are cached and held by it: the first ones.
        var named = 0
        /// Its place in the order of admission.
        var admission = 0
        var isRecomputed = false

        /// Blocks of its context that have a name.
        var nameable: Int { own == CachedContents.none ? sharedBlocks : .max }
    }

    /// A sequence that has left the batch, with its computed tokens and the blocks it had for them.
    private struct Departure: Sendable {
        var sequence: Sequence
        var tokens: Int
        var blocks: Int
    }

    private let blockSize: Int
    private var contents = CachedContents()
    private var sequences: [Sequence] = []
    private var departures: [Departure] = []
    private var admissions = 0
    private(set) var counts = PrefixCacheCounts()

    init(blockSize: Int) { self.blockSize = blockSize }

    /// Cached blocks that nobody holds, evictions that are not settled yet included; and those that are held.
    var evictableBlocks: Int { contents.evictable }
    var heldBlocks: Int { contents.held }

    /// Blocks of a running sequence that are cached.
    func namedBlocks(of slot: SequenceSlot) -> Int { sequences[slot].named }

    // MARK: - What the batcher tells

    /// A sequence has come to a slot, and waits.
    mutating func submit(_ slot: SequenceSlot, _ content: PromptContent, promptTokens: Int) {
        precondition(
            content.sharedTokens <= promptTokens,
            "a prompt of \(promptTokens) tokens starts with a shared text of \(content.sharedTokens)")
        let sequence = Sequence(content: content, sharedBlocks: content.sharedTokens / blockSize)
        if slot == sequences.count { sequences.append(sequence) } else { sequences[slot] = sequence }
    }

    /// Gives a sequence the blocks for its first `tokens` tokens, those it finds and new ones.
    ///
    /// - Returns: The tokens it finds computed; `nil` when the free blocks do not suffice, and then nothing has changed.
    mutating func admit(_ slot: SequenceSlot, tokens: Int, blocks: Int, free: inout Int) -> Int? {
        settle(free)
        var sequence = sequences[slot]
        let hit = hit(of: sequence, tokens: tokens)
        guard blocks - hit.blocks + hit.evictable <= free else { return nil }
        if sequence.sharedBlocks > 0 { sequence.shared = contents.attach(sequence.content.shared, first: 0) }
        if sequence.content.own != 0 {
            sequence.own = contents.attach(sequence.content.own, first: sequence.sharedBlocks)
        }
        hold(&sequence, upTo: hit.blocks)
        free -= blocks - hit.blocks + hit.evictable
        sequence.admission = admissions
        admissions += 1
        sequences[slot] = sequence
        if !sequence.isRecomputed {
            counts.queries += Int64(tokens)
            counts.hits += Int64(hit.blocks * blockSize)
        }
        return hit.blocks * blockSize
    }

    /// The first `tokens` tokens of a running sequence are computed.
    mutating func complete(_ slot: SequenceSlot, tokens: Int, free: inout Int) {
        settle(free)
        var sequence = sequences[slot]
        name(&sequence, tokens: tokens, free: &free)
        sequences[slot] = sequence
    }

    /// A running sequence leaves the batch with `tokens` tokens computed and blocks for them, which are free at the next
    /// `settleDepartures`: so those that leave at one boundary go in order of admission, whatever the order of telling.
    mutating func leave(_ slot: SequenceSlot, tokens: Int, blocks: Int) {
        departures.append(Departure(sequence: sequences[slot], tokens: tokens, blocks: blocks))
        // Where it has lost its blocks, it may be admitted again to this slot.
        sequences[slot].shared = CachedContents.none
        sequences[slot].own = CachedContents.none
        sequences[slot].named = 0
        sequences[slot].isRecomputed = true
    }

    mutating func settleDepartures(free: inout Int) {
        guard !departures.isEmpty else { return }
        settle(free)
        if departures.count > 1 { departures.sort { $0.sequence.admission < $1.sequence.admission } }
        for departure in departures { release(departure, free: &free) }
        departures.removeAll(keepingCapacity: true)
    }

    /// Whether blocks that a running sequence has still to compute are cached already, by somebody who was as far at the
    /// same time. Each of its steps then changes what is free.
    func hasDuplicates(aheadOf slot: SequenceSlot) -> Bool {
        let sequence = sequences[slot]
        if sequence.named < sequence.sharedBlocks {
            return contents.cachedEnd(of: sequence.shared) > sequence.named
        }
        return sequence.own != CachedContents.none && contents.cachedEnd(of: sequence.own) > sequence.named
    }

    // MARK: - How it is done

    /// The longest cached prefix, in blocks, and how many of them nobody holds.
    private func hit(of sequence: Sequence, tokens: Int) -> (blocks: Int, evictable: Int) {
        var hit = (blocks: 0, evictable: 0)
        // At least one token is computed: its output is the next one.
        let limit = (tokens - 1) / blockSize
        if sequence.sharedBlocks > 0 {
            guard let ends = contents.ends(of: sequence.content.shared) else { return hit }
            hit.blocks = min(ends.cached, limit)
            hit.evictable = max(0, hit.blocks - ends.held)
        }
        guard hit.blocks == sequence.sharedBlocks, sequence.content.own != 0,
            let ends = contents.ends(of: sequence.content.own)
        else { return hit }
        let blocks = min(ends.cached, limit)
        hit.evictable += max(0, blocks - ends.held)
        hit.blocks = max(hit.blocks, blocks)
        return hit
    }

    /// Lets a sequence hold the blocks of its content up to `end`.
    ///
    /// - Returns: How many of those it did not hold before were cached already.
    @discardableResult
    private mutating func hold(_ sequence: inout Sequence, upTo end: Int) -> Int {
        let (named, shared) = (sequence.named, sequence.sharedBlocks)
        guard end > named else { return 0 }
        var known = 0
        if named < shared { known += contents.hold(sequence.shared, from: named, to: min(end, shared)) }
        if end > shared { known += contents.hold(sequence.own, from: max(named, shared), to: end) }
        sequence.named = end
        return known
    }

    /// Names the whole blocks of a sequence's first `tokens` tokens. It gives up its own where equal ones are cached.
    private mutating func name(_ sequence: inout Sequence, tokens: Int, free: inout Int) {
        let evictable = contents.evictable
        let duplicates = hold(&sequence, upTo: min(tokens / blockSize, sequence.nameable))
        // What it holds is not evictable any more.
        free += duplicates - (evictable - contents.evictable)
    }

    private mutating func release(_ departure: Departure, free: inout Int) {
        var sequence = departure.sequence
        name(&sequence, tokens: departure.tokens, free: &free)
        let evictable = contents.evictable
        // The shared text after what follows it: the last block goes first.
        if sequence.own != CachedContents.none {
            contents.release(sequence.own, from: max(sequence.named, sequence.sharedBlocks))
            contents.detach(sequence.own)
        }
        if sequence.shared != CachedContents.none {
            contents.release(sequence.shared, from: min(sequence.named, sequence.sharedBlocks))
            contents.detach(sequence.shared)
        }
        free += departure.blocks - sequence.named + (contents.evictable - evictable)
    }

    /// Evicts what has been taken by count.
    private mutating func settle(_ free: Int) {
        if contents.evictable > free { contents.evict(contents.evictable - free) }
    }
}

/// What prompts asked of a prefix cache and what they found, in tokens, as vLLM's `prefix_cache_queries` and
/// `prefix_cache_hits` count them: each sequence when it is first admitted, and not again after a preemption.
public struct PrefixCacheCounts: Hashable, Sendable, Codable {
    /// Tokens of prompts that were admitted, those without content included.
    public var queries: Int64 = 0
    /// Of them, tokens found computed.
    public var hits: Int64 = 0

    public init() {}

    /// Found over asked; `nil` when nothing was asked. Range: 0...1.
    public var rate: Double? { queries == 0 ? nil : Double(hits) / Double(queries) }

    public static func += (a: inout PrefixCacheCounts, b: PrefixCacheCounts) {
        a.queries += b.queries
        a.hits += b.hits
    }
}
