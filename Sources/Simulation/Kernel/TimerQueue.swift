import Units

/// The pending events of a world: at most one for each source, so there are as many as sources and not as requests.
///
/// An indexed binary heap: a source's timer can be set, moved and cleared in O(log sources). Events are ordered by time,
/// then rank, then number of the source, so that the order is total and the same in every run.
struct TimerQueue {
    /// Index of a source.
    typealias Source = Int

    private struct Entry {
        var time: Int64
        /// Rank in the high half, source in the low half: the order among events of one nanosecond.
        var order: UInt64

        var source: Source { Int(order & 0xFFFF_FFFF) }
        static func < (a: Entry, b: Entry) -> Bool { a.time != b.time ? a.time < b.time : a.order < b.order }
    }

    private var heap: [Entry] = []
    /// Where each source's entry stands in the heap; -1 when it has none.
    private var positions: [Int] = []
    private var ranks: [UInt8] = []

    /// Adds a source without a timer.
    ///
    /// - Parameter rank: Among events of the same nanosecond a smaller rank comes first.
    mutating func addSource(rank: UInt8) -> Source {
        positions.append(-1)
        ranks.append(rank)
        return positions.count - 1
    }

    /// The time of the next event; `.never` when there is none.
    var nextTime: Instant { heap.isEmpty ? .never : Instant(nanoseconds: heap[0].time) }

    /// Takes out the next event.
    ///
    /// - Precondition: there is one.
    mutating func pop() -> (source: Source, time: Instant) {
        let top = heap[0]
        remove(at: 0)
        return (top.source, Instant(nanoseconds: top.time))
    }

    /// Sets the timer of a source, replacing the one it had; `.never` clears it.
    mutating func set(_ source: Source, to time: Instant) {
        let position = positions[source]
        if time == .never {
            if position >= 0 { remove(at: position) }
            return
        }
        if position >= 0 {
            let old = heap[position].time
            guard old != time.nanoseconds else { return }
            heap[position].time = time.nanoseconds
            if time.nanoseconds < old { siftUp(position) } else { siftDown(position) }
        } else {
            heap.append(Entry(time: time.nanoseconds, order: UInt64(ranks[source]) << 32 | UInt64(source)))
            positions[source] = heap.count - 1
            siftUp(heap.count - 1)
        }
    }

    private mutating func remove(at position: Int) {
        positions[heap[position].source] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        heap[position] = last
        positions[last.source] = position
        siftDown(position)
        siftUp(positions[last.source])
    }

    private mutating func siftUp(_ start: Int) {
        let entry = heap[start]
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry < heap[parent] else { break }
            heap[child] = heap[parent]
            positions[heap[child].source] = child
            child = parent
        }
        heap[child] = entry
        positions[entry.source] = child
    }

    private mutating func siftDown(_ start: Int) {
        let entry = heap[start]
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < entry else { break }
            heap[parent] = heap[child]
            positions[heap[parent].source] = parent
            parent = child
        }
        heap[parent] = entry
        positions[entry.source] = parent
    }
}
