/// Which KV blocks hold which sequence's tokens: the worker's side of the batcher's counts.
///
/// The batcher guarantees that the blocks suffice, so this never fails; the simulator needs no identities and keeps none.
public struct BlockTables: Sendable {
    public let blockSize: Int
    private var free: [Int]
    private var tables: [[Int]] = []

    public init(configuration: BatcherConfiguration) {
        blockSize = configuration.blockSize
        // Taken from the end, so that blocks are first used in ascending order.
        free = Array((0..<configuration.totalBlocks).reversed())
    }

    public var freeCount: Int { free.count }

    /// The blocks of a sequence in order of its tokens: token i lies in block `i / blockSize` at offset `i % blockSize`.
    public func blocks(of slot: SequenceSlot) -> [Int] { slot < tables.count ? tables[slot] : [] }

    /// Gives the sequence blocks for its first `tokens` tokens, keeping those it has.
    public mutating func reserve(_ slot: SequenceSlot, tokens: Int) {
        while tables.count <= slot { tables.append([]) }
        let wanted = (tokens + blockSize - 1) / blockSize
        while tables[slot].count < wanted {
            guard let block = free.popLast() else {
                preconditionFailure("the batcher planned more blocks than there are")
            }
            tables[slot].append(block)
        }
    }

    /// Takes back the blocks of a sequence that finished, was cancelled or was preempted.
    public mutating func release(_ slot: SequenceSlot) {
        guard slot < tables.count else { return }
        free.append(contentsOf: tables[slot].reversed())
        tables[slot].removeAll(keepingCapacity: true)
    }
}
