/// A heap of (key, slot) whose entries die when their slot's epoch moves on: finish steps and deadlines of the sequences
/// of one replica.
///
/// Leaving early is rare (a preemption, a cancellation), so dead entries stay until they reach the top.
struct SlotHeap {
    struct Entry {
        var key: Int64
        var slot: Int32
        var epoch: UInt32

        static func < (a: Entry, b: Entry) -> Bool { a.key != b.key ? a.key < b.key : a.slot < b.slot }
    }

    private var entries: [Entry] = []

    mutating func push(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry < entries[parent] else { break }
            entries[child] = entries[parent]
            child = parent
        }
        entries[child] = entry
    }

    var isEmpty: Bool { entries.isEmpty }

    /// The least entry, dead or live.
    var first: Entry? { entries.first }

    mutating func removeTop() {
        let entry = entries.removeLast()
        guard !entries.isEmpty else { return }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
            guard entries[child] < entry else { break }
            entries[parent] = entries[child]
            parent = child
        }
        entries[parent] = entry
    }
}
