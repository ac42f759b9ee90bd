/// The decoding sequences of a batch, which advance together: each has a token more with each step.
///
/// So their number, the sum of their contexts, and how many have each residue of the context modulo the block size say
/// everything, and a step costs O(1) however many they are. One takes a block when its context is a whole number of blocks.
struct DecodingBatch: Sendable {
    private let blockSize: Int
    private(set) var count = 0
    /// Cached tokens, over all.
    private(set) var context: Int64 = 0
    /// By (context − steps) mod blockSize, which stays the same while they decode.
    private var residues: [Int]
    /// Which of them take a block in the next step: −steps mod blockSize.
    private var turn = 0

    init(blockSize: Int) {
        self.blockSize = blockSize
        residues = Array(repeating: 0, count: blockSize)
    }

    /// - Parameters:
    ///   - context: Its cached tokens.
    ///   - step: Steps advanced since the start.
    mutating func join(context: Int, step: Int64) {
        count += 1
        self.context += Int64(context)
        residues[residue(context: context, step: step)] += 1
    }

    mutating func leave(context: Int, step: Int64) {
        count -= 1
        self.context -= Int64(context)
        residues[residue(context: context, step: step)] -= 1
    }

    mutating func advance(steps: Int64) {
        turn = Int((Int64(turn) - steps) % Int64(blockSize))
        if turn < 0 { turn += blockSize }
        context += Int64(count) * steps
    }

    private func residue(context: Int, step: Int64) -> Int {
        let size = Int64(blockSize)
        let rest = (Int64(context) - step) % size
        return Int(rest < 0 ? rest + size : rest)
    }

    // MARK: - Blocks

    /// Blocks that the next step takes.
    var nextBlocks: Int { residues[turn] }

    /// Blocks that the `steps` steps after the next one take: in any `blockSize` steps each sequence takes one.
    func blocksNeeded(inStepsAfterNext steps: Int64) -> Int {
        let (cycles, rest) = Int(steps).quotientAndRemainder(dividingBy: blockSize)
        var blocks = cycles * count
        var index = turn
        for _ in 0..<rest {
            index = index == 0 ? blockSize - 1 : index - 1
            blocks += residues[index]
        }
        return blocks
    }

    /// Steps after the next one for which `free` blocks suffice, up to `limit`.
    ///
    /// - Precondition: some sequence decodes.
    func stepsUntilBlocksRunOut(free: Int, limit: Int64) -> Int64 {
        let cycles = free / count
        guard Int64(cycles * blockSize) < limit else { return limit }
        var left = free - cycles * count
        var steps = Int64(cycles * blockSize)
        var index = turn
        for _ in 0..<blockSize {
            index = index == 0 ? blockSize - 1 : index - 1
            guard steps < limit, residues[index] <= left else { break }
            left -= residues[index]
            steps += 1
        }
        return steps
    }
}
