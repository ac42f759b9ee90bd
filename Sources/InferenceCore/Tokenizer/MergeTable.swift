/// Which pairs of tokens become one, and which pair goes first: for each left token its right ones, in order.
///
/// Found by bisection rather than by hash: a letter has some hundred right ones at most, the lists lie side by side, and
/// no file can make a lookup longer than log₂ of its merges.
struct MergeTable: Sendable {
    struct Rule: Sendable {
        var left: Int32
        var right: Int32
        var rank: Int32
        var result: Int32
    }

    private var starts: [Int32]
    private var rights: [Int32]
    private var ranks: [Int32]
    private var results: [Int32]

    /// - Parameter rules: Tokens within `0..<tokens`. Of two rules for one pair the later counts, as elsewhere.
    init(_ rules: [Rule], tokens: Int) {
        let sorted = rules.sorted { ($0.left, $0.right, $0.rank) < ($1.left, $1.right, $1.rank) }
        starts = [Int32](repeating: 0, count: tokens + 1)
        rights = []
        ranks = []
        results = []
        rights.reserveCapacity(sorted.count)
        ranks.reserveCapacity(sorted.count)
        results.reserveCapacity(sorted.count)
        for (index, rule) in sorted.enumerated() {
            if index + 1 < sorted.count, (sorted[index + 1].left, sorted[index + 1].right) == (rule.left, rule.right) {
                continue
            }
            rights.append(rule.right)
            ranks.append(rule.rank)
            results.append(rule.result)
            starts[Int(rule.left) + 1] += 1
        }
        for token in 0..<tokens { starts[token + 1] += starts[token] }
    }

    /// Where the rule of a pair is; -1 when there is none.
    @inline(__always)
    private func index(_ left: Int32, _ right: Int32) -> Int {
        guard left >= 0, right >= 0 else { return -1 }
        var low = Int(starts[Int(left)])
        var high = Int(starts[Int(left) + 1])
        while low < high {
            let middle = (low + high) / 2
            if rights[middle] < right { low = middle + 1 } else { high = middle }
        }
        return low < Int(starts[Int(left) + 1]) && rights[low] == right ? low : -1
    }

    private func rank(_ left: Int32, _ right: Int32) -> Int32 {
        let index = index(left, right)
        return index < 0 ? .max : ranks[index]
    }

    private func result(_ left: Int32, _ right: Int32) -> Int32 { results[index(left, right)] }

    /// Merges the tokens of one word in place: always the pair of the lowest rank, the leftmost of equals.
    ///
    /// Negative tokens merge with nothing. Up to 48 tokens by looking for the lowest; longer words over a linked list
    /// and a heap, in O(n log n) time and 40 bytes a token.
    func merge(_ word: inout [Int32]) {
        if word.count <= 48 { mergeShort(&word) } else { mergeLong(&word) }
    }

    private func mergeShort(_ word: inout [Int32]) {
        var count = word.count
        guard count > 1 else { return }
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: count) { ranks in
            for index in 0..<(count - 1) { ranks[index] = rank(word[index], word[index + 1]) }
            while count > 1 {
                var best = Int32.max
                var place = -1
                for index in 0..<(count - 1) where ranks[index] < best {
                    best = ranks[index]
                    place = index
                }
                guard place >= 0 else { break }
                word[place] = result(word[place], word[place + 1])
                count -= 1
                for index in (place + 1)..<max(count, place + 1) { word[index] = word[index + 1] }
                // The ranks before `place` stand; the two pairs with the new token are asked anew.
                for index in (place + 1)..<max(count - 1, place + 1) { ranks[index] = ranks[index + 1] }
                if place + 1 < count { ranks[place] = rank(word[place], word[place + 1]) }
                if place > 0 { ranks[place - 1] = rank(word[place - 1], word[place]) }
            }
        }
        word.removeLast(word.count - count)
    }

    private func mergeLong(_ word: inout [Int32]) {
        let count = word.count
        var next = (0..<Int32(count)).map { $0 + 1 }
        var previous = (0..<Int32(count)).map { $0 - 1 }
        /// Of the pair that begins here; `.max` when there is none or the token is gone.
        var current = [Int32](repeating: .max, count: count)
        var heap = MinimumHeap()
        heap.reserve(count)
        for index in 0..<(count - 1) {
            current[index] = rank(word[index], word[index + 1])
            if current[index] < .max { heap.keys.append(MinimumHeap.key(current[index], index)) }
        }
        heap.order()
        while let key = heap.pop() {
            let place = Int(key & 0xFFFF_FFFF)
            // A pair that has changed since has another rank, or the same and is as good.
            guard current[place] == Int32(key >> 32) else { continue }
            let right = Int(next[place])
            word[place] = result(word[place], word[right])
            current[right] = .max
            word[right] = -2
            next[place] = next[right]
            let after = Int(next[place])
            if after < count { previous[after] = Int32(place) }
            current[place] = after < count ? rank(word[place], word[after]) : .max
            if current[place] < .max { heap.push(MinimumHeap.key(current[place], place)) }
            let before = Int(previous[place])
            if before >= 0 {
                current[before] = rank(word[before], word[place])
                if current[before] < .max { heap.push(MinimumHeap.key(current[before], before)) }
            }
        }
        word.removeAll { $0 == -2 }
    }
}

/// A binary heap of ranks with places, lowest rank and then lowest place first.
private struct MinimumHeap {
    var keys: [UInt64] = []

    static func key(_ rank: Int32, _ place: Int) -> UInt64 { UInt64(rank) << 32 | UInt64(place) }

    mutating func reserve(_ count: Int) { keys.reserveCapacity(count) }

    mutating func order() {
        for index in stride(from: keys.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    mutating func push(_ key: UInt64) {
        var index = keys.count
        keys.append(key)
        while index > 0, keys[(index - 1) / 2] > key {
            keys[index] = keys[(index - 1) / 2]
            index = (index - 1) / 2
        }
        keys[index] = key
    }

    mutating func pop() -> UInt64? {
        guard let first = keys.first else { return nil }
        let last = keys.removeLast()
        if !keys.isEmpty {
            keys[0] = last
            sink(0)
        }
        return first
    }

    private mutating func sink(_ start: Int) {
        var index = start
        let key = keys[index]
        while 2 * index + 1 < keys.count {
            var child = 2 * index + 1
            if child + 1 < keys.count, keys[child + 1] < keys[child] { child += 1 }
            guard keys[child] < key else { break }
            keys[index] = keys[child]
            index = child
        }
        keys[index] = key
    }
}
