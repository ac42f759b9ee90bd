/// Which of some numbered places has the least key: a tournament, in which a changed key plays only its own way up.
///
/// Of equal keys the one in the first place wins. A place without a key has `Int64.max`.
///
/// - Source: the winner tree of Knuth, *The Art of Computer Programming*, vol. 3, 5.4.1.
public struct LeastKeyTree: Sendable {
    /// Places, rounded up to a power of two.
    @usableFromInline var size = 1
    /// Key of each place.
    @usableFromInline var keys: [Int64] = [.max]
    /// Winner of each match: node n has the children 2n and 2n + 1, place p is node size + p.
    @usableFromInline var winners: [UInt32] = [0, 0]

    public init() {}

    /// The place with the least key; its key is `Int64.max` when no place has one.
    @inlinable public var first: Int { Int(winners[1]) }
    @inlinable public var leastKey: Int64 { keys[Int(winners[1])] }

    @inlinable public func key(of place: Int) -> Int64 { place < size ? keys[place] : .max }

    /// Gives a place another key.
    ///
    /// - Complexity: O(log places), and O(1) where the place neither was nor becomes the least of its neighbours.
    @inlinable public mutating func set(_ place: Int, to key: Int64) {
        if place >= size { grow(to: place + 1) }
        guard keys[place] != key else { return }
        keys[place] = key
        keys.withUnsafeBufferPointer { keys in
            winners.withUnsafeMutableBufferPointer { winners in
                let keys = keys.baseAddress!
                let winners = winners.baseAddress!
                var node = (size &+ place) >> 1
                while node > 0 {
                    let left = Int(winners[node &+ node])
                    let right = Int(winners[node &+ node &+ 1])
                    let winner = keys[left] <= keys[right] ? left : right
                    // Another place that had won before still has its key: nothing changes further up.
                    if winner != place, Int(winners[node]) == winner { return }
                    winners[node] = UInt32(truncatingIfNeeded: winner)
                    node >>= 1
                }
            }
        }
    }

    /// Takes all keys away.
    public mutating func removeAll() { self = LeastKeyTree() }

    @usableFromInline
    mutating func grow(to places: Int) {
        var wider = size
        while wider < places { wider *= 2 }
        keys.append(contentsOf: repeatElement(.max, count: wider - size))
        size = wider
        winners = Array(repeating: 0, count: 2 * wider)
        for place in 0..<wider { winners[wider + place] = UInt32(place) }
        for node in stride(from: wider - 1, through: 1, by: -1) {
            let (left, right) = (winners[2 * node], winners[2 * node + 1])
            winners[node] = keys[Int(left)] <= keys[Int(right)] ? left : right
        }
    }
}
