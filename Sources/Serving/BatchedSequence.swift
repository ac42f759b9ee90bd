/// What a batcher knows of a sequence: where it stands, and its neighbours in the running list.
struct BatchedSequence: Sendable {
    enum State: UInt8 { case free, waiting, prefilling, decoding, retired, cancelled }

    static let none: SequenceSlot = -1

    var promptTokens: Int
    var priority: Int
    var state = State.waiting
    /// Tokens produced before the last preemption.
    var generated = 0
    /// Cached tokens: while prefilling as they are, while decoding at `joinedStep`.
    var computed = 0
    /// Tokens to prefill: the prompt, and after a preemption what had been generated.
    var target = 0
    var joinedStep: Int64 = 0
    var previous = BatchedSequence.none
    var next = BatchedSequence.none

    init(promptTokens: Int, priority: Int) {
        self.promptTokens = promptTokens
        self.priority = priority
    }
}

/// The sequences of the running batch in order of admission: a list through the sequences themselves.
struct RunningList: Sendable {
    private(set) var first = BatchedSequence.none
    private(set) var last = BatchedSequence.none

    mutating func append(_ slot: SequenceSlot, in sequences: inout [BatchedSequence]) {
        sequences[slot].previous = last
        sequences[slot].next = BatchedSequence.none
        if last == BatchedSequence.none { first = slot } else { sequences[last].next = slot }
        last = slot
    }

    mutating func remove(_ slot: SequenceSlot, in sequences: inout [BatchedSequence]) {
        let (previous, next) = (sequences[slot].previous, sequences[slot].next)
        if previous == BatchedSequence.none { first = next } else { sequences[previous].next = next }
        if next == BatchedSequence.none { last = previous } else { sequences[next].previous = previous }
    }
}
