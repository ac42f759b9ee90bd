/// KV blocks by number: whose tokens each holds, and which of them hold text that another sequence may find.
///
/// The inference core's counterpart of ``PrefixCache``, with the same rules: that one counts blocks of contents that have
/// two levels, this one knows each block by its name and number, because somebody reads what is in it. A block is held by
/// sequences, or it is free; a free one that has a name keeps its text until it is taken: blocks without a name are taken
/// first, then those that were released first, and of one sequence the last block first. So who has a block has all blocks
/// before it.
///
/// - Complexity: O(1) a block.
struct BlockPool: Sendable {
    private static let none: Int32 = -1

    private struct Block: Sendable {
        var name: BlockName?
        /// Sequences that hold it.
        var holders: Int32 = 0
        /// Neighbours in the order of release, while it is free and has a name.
        var before = none
        var after = none
    }

    private struct Sequence: Sendable {
        /// In order of its tokens: token i lies in block `i / blockSize` at offset `i % blockSize`.
        var blocks: [Int] = []
        /// Of its whole blocks, as far as their tokens are known.
        var names: [BlockName] = []
        /// Its first blocks, which can be found.
        var named = 0
        var isRecomputed = false
    }

    private let blockSize: Int
    private var blocks: [Block]
    private var sequences: [Sequence] = []
    /// Free blocks without a name, the next one last.
    private var blank: [Int]
    /// Ends of the order of release.
    private var oldest = none
    private var latest = none
    /// Free blocks with a name.
    private(set) var evictable = 0
    /// Asked by name only, so its order leaks nowhere.
    private var numbers: [BlockName: Int32] = [:]
    private(set) var counts = PrefixCacheCounts()

    init(blockSize: Int, blocks count: Int) {
        self.blockSize = blockSize
        blocks = Array(repeating: Block(), count: count)
        // Taken from the end, so that blocks are first used in ascending order.
        blank = Array((0..<count).reversed())
        numbers.reserveCapacity(count)
    }

    var freeCount: Int { blank.count + evictable }

    func blocks(of slot: SequenceSlot) -> [Int] { sequences[slot].blocks }
    /// Blocks of a running sequence that can be found.
    func namedBlocks(of slot: SequenceSlot) -> Int { sequences[slot].named }

    // MARK: - What the batcher tells

    /// A sequence has come to a slot, and waits.
    ///
    /// - Parameter tokens: The most tokens that it will have.
    mutating func submit(_ slot: SequenceSlot, names: [BlockName], tokens: Int) {
        if slot == sequences.count { sequences.append(Sequence()) }
        sequences[slot].names.removeAll(keepingCapacity: true)
        sequences[slot].names.reserveCapacity(tokens / blockSize)
        sequences[slot].names.append(contentsOf: names)
        sequences[slot].blocks.reserveCapacity((tokens + blockSize - 1) / blockSize)
        sequences[slot].isRecomputed = false
    }

    /// The tokens of one more whole block are known.
    mutating func append(_ name: BlockName, to slot: SequenceSlot) { sequences[slot].names.append(name) }

    /// Gives a sequence the blocks for its first `tokens` tokens, those it finds and others.
    ///
    /// - Returns: The tokens it finds computed; `nil` when the free blocks do not suffice, and then nothing has changed.
    mutating func admit(_ slot: SequenceSlot, tokens: Int, blocks count: Int) -> Int? {
        let hit = hit(of: slot, tokens: tokens)
        guard count - hit.blocks + hit.evictable <= freeCount else { return nil }
        for index in 0..<hit.blocks {
            let block = Int(numbers[sequences[slot].names[index]]!)
            hold(block)
            sequences[slot].blocks.append(block)
        }
        sequences[slot].named = hit.blocks
        for _ in hit.blocks..<count { take(for: slot) }
        if !sequences[slot].isRecomputed {
            counts.queries += Int64(tokens)
            counts.hits += Int64(hit.blocks * blockSize)
        }
        return hit.blocks * blockSize
    }

    /// Gives a sequence its next block.
    mutating func take(for slot: SequenceSlot) {
        let block = blank.popLast() ?? evict()
        blocks[block].holders = 1
        sequences[slot].blocks.append(block)
    }

    /// The first `tokens` tokens of a running sequence are computed: their whole blocks can be found from now on. It gives
    /// up its own where equal ones are there.
    mutating func complete(_ slot: SequenceSlot, tokens: Int) {
        let end = min(tokens / blockSize, sequences[slot].names.count)
        while sequences[slot].named < end {
            let index = sequences[slot].named
            name(sequences[slot].blocks[index], index, of: slot)
            sequences[slot].named = index + 1
        }
    }

    /// A running sequence leaves the batch with `tokens` tokens computed, and lets go of its blocks.
    mutating func leave(_ slot: SequenceSlot, tokens: Int) {
        complete(slot, tokens: tokens)
        while let block = sequences[slot].blocks.popLast() { release(block) }
        sequences[slot].named = 0
        // Where it has lost its blocks, it may be admitted again to this slot.
        sequences[slot].isRecomputed = true
    }

    // MARK: - How it is done

    /// The longest prefix that is there, in blocks, and how many of them nobody holds.
    private func hit(of slot: SequenceSlot, tokens: Int) -> (blocks: Int, evictable: Int) {
        var hit = (blocks: 0, evictable: 0)
        // At least one token is computed: its output is the next one.
        for name in sequences[slot].names.prefix((tokens - 1) / blockSize) {
            guard let block = numbers[name] else { break }
            hit.blocks += 1
            if blocks[Int(block)].holders == 0 { hit.evictable += 1 }
        }
        return hit
    }

    private mutating func name(_ block: Int, _ index: Int, of slot: SequenceSlot) {
        let name = sequences[slot].names[index]
        if let twin = numbers[name] {
            hold(Int(twin))
            sequences[slot].blocks[index] = Int(twin)
            release(block)
        } else {
            numbers[name] = Int32(block)
            blocks[block].name = name
        }
    }

    private mutating func hold(_ block: Int) {
        if blocks[block].holders == 0 { unlink(block) }
        blocks[block].holders += 1
    }

    private mutating func release(_ block: Int) {
        blocks[block].holders -= 1
        guard blocks[block].holders == 0 else { return }
        if blocks[block].name == nil { blank.append(block) } else { link(block) }
    }

    /// Takes the text from the block that was released first.
    private mutating func evict() -> Int {
        precondition(oldest != Self.none, "the batcher planned more blocks than there are")
        let block = Int(oldest)
        unlink(block)
        numbers[blocks[block].name!] = nil
        blocks[block].name = nil
        return block
    }

    // MARK: - The order of release

    private mutating func link(_ block: Int) {
        blocks[block].before = latest
        blocks[block].after = Self.none
        if latest == Self.none { oldest = Int32(block) } else { blocks[Int(latest)].after = Int32(block) }
        latest = Int32(block)
        evictable += 1
    }

    private mutating func unlink(_ block: Int) {
        let (before, after) = (blocks[block].before, blocks[block].after)
        if before == Self.none { oldest = after } else { blocks[Int(before)].after = after }
        if after == Self.none { latest = before } else { blocks[Int(after)].before = before }
        evictable -= 1
    }
}
