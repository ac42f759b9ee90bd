import Collections

/// The waiting sequences: by priority, and of one priority in order of arrival.
///
/// One that is cancelled stays in its queue until it comes to the front.
struct WaitingLanes: Sendable {
    private struct Lane: Sendable {
        var priority: Int
        var queue = Deque<SequenceSlot>()
    }

    /// In order of priority, smallest first.
    private var lanes: [Lane] = []

    /// Whether there ever was more than one priority.
    var haveSeveralPriorities: Bool { lanes.count > 1 }

    mutating func append(_ slot: SequenceSlot, priority: Int) { lanes[lane(for: priority)].queue.append(slot) }

    /// Puts a sequence before all others of its priority.
    mutating func prepend(_ slot: SequenceSlot, priority: Int) { lanes[lane(for: priority)].queue.prepend(slot) }

    /// The sequence that is served next. Cancelled ones before it are given back to the free slots.
    ///
    /// - Precondition: some sequence waits.
    mutating func first(of sequences: inout [BatchedSequence], free: inout [SequenceSlot]) -> SequenceSlot {
        for index in lanes.indices {
            while let slot = lanes[index].queue.first {
                if sequences[slot].state == .waiting { return slot }
                lanes[index].queue.removeFirst()
                sequences[slot].state = .free
                free.append(slot)
            }
        }
        preconditionFailure("a waiting sequence is in no lane")
    }

    /// Takes out what `first` gave.
    mutating func removeFirst() {
        let index = lanes.firstIndex { !$0.queue.isEmpty }!
        lanes[index].queue.removeFirst()
    }

    private mutating func lane(for priority: Int) -> Int {
        if let index = lanes.firstIndex(where: { $0.priority >= priority }) {
            if lanes[index].priority == priority { return index }
            lanes.insert(Lane(priority: priority), at: index)
            return index
        }
        lanes.append(Lane(priority: priority))
        return lanes.count - 1
    }
}
