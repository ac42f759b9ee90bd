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
