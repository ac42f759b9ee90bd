import Collections

/// The decoding sequences by length, so that the longest is known as they join and leave.
///
/// All contexts grow alike, so by what they exceed the step count their order stays. Those that decode no more are still
/// in it until they come to the top.
struct ContextLengths: Sendable {
    private struct Entry: Comparable, Sendable {
        /// Context less the steps counted when it joined.
        var length: Int64
        var slot: SequenceSlot
        var joined: Int64

        static func < (a: Entry, b: Entry) -> Bool { (a.length, a.slot) < (b.length, b.slot) }

        func isCurrent(in sequences: [BatchedSequence]) -> Bool {
            let sequence = sequences[slot]
            return sequence.state == .decoding && sequence.joinedStep == joined
                && Int64(sequence.computed) - joined == length
        }
    }

    private var heap = Heap<Entry>()

    /// A sequence of `sequences` has begun to decode.
    ///
    /// - Parameter running: Sequences in the batch: with many more entries than that, those that have left are cleared out.
    /// - Complexity: O(log n) on average.
    mutating func insert(_ slot: SequenceSlot, of sequences: [BatchedSequence], running: Int) {
        let sequence = sequences[slot]
        heap.insert(
            Entry(length: Int64(sequence.computed) - sequence.joinedStep, slot: slot, joined: sequence.joinedStep))
        // Short ones that have left never come to the top.
        if heap.count > 2 * running + 64 { heap = Heap(heap.unordered.filter { $0.isCurrent(in: sequences) }) }
    }

    /// By what the longest context exceeds the step count; `nil` when none decodes.
    mutating func longest(of sequences: [BatchedSequence]) -> Int64? {
        while let top = heap.max {
            if top.isCurrent(in: sequences) { return top.length }
            heap.removeMax()
        }
        return nil
    }
}
