/// Which of some numbered places has the least key: a tournament, in which a changed key plays its way up.
///
/// Of equal keys the one in the first place wins. A place without a key has `Int64.max`.
///
/// Every match keeps its winner's key beside its number, so that a way up loads only the opponents, none of which waits
/// for another; and nothing on it is decided by a branch, because a processor could only guess it.
///
/// - Source: the winner tree of Knuth, *The Art of Computer Programming*, vol. 3, 5.4.1.
public struct LeastKeyTree: Sendable {
    @usableFromInline struct Entry: Sendable {
        @usableFromInline var key: Int64
        @usableFromInline var place: Int

        @usableFromInline init(key: Int64, place: Int) {
            self.key = key
            self.place = place
        }
    }

    /// Places, rounded up to a power of two.
    @usableFromInline var size = 1
    /// Winner of each match: node n has the children 2n and 2n + 1, place p is node size + p, and node 1 the whole.
    @usableFromInline var nodes = [Entry](repeating: Entry(key: .max, place: 0), count: 2)

    public init() {}

    /// The place with the least key; its key is `Int64.max` when no place has one.
    @inlinable public var first: Int { nodes[1].place }
    @inlinable public var leastKey: Int64 { nodes[1].key }

    @inlinable public func key(of place: Int) -> Int64 { place < size ? nodes[size + place].key : .max }

    /// Gives a place another key.
    ///
    /// - Complexity: O(log places).
    @inlinable public mutating func set(_ place: Int, to key: Int64) {
        if place >= size { grow(to: place + 1) }
        let leaf = size &+ place
        nodes.withUnsafeMutableBufferPointer { buffer in
            let nodes = buffer.baseAddress!
            guard nodes[leaf].key != key else { return }
            var winner = Entry(key: key, place: place)
            var node = leaf
            nodes[node] = winner
            while node > 1 {
                let other = nodes[node ^ 1]
                let isBeaten = other.key < winner.key || (other.key == winner.key && other.place < winner.place)
                winner.key = isBeaten ? other.key : winner.key
                winner.place = isBeaten ? other.place : winner.place
                node >>= 1
                nodes[node] = winner
            }
        }
    }

    /// Takes all keys away.
    public mutating func removeAll() { self = LeastKeyTree() }

    @usableFromInline
    mutating func grow(to places: Int) {
        let old = nodes[size...].map(\.key)
        while size < places { size *= 2 }
        nodes = [Entry](repeating: Entry(key: .max, place: 0), count: 2 * size)
        for place in 0..<size {
            nodes[size + place] = Entry(key: place < old.count ? old[place] : .max, place: place)
        }
        for node in stride(from: size - 1, through: 1, by: -1) {
            let (left, right) = (nodes[2 * node], nodes[2 * node + 1])
            nodes[node] = left.key <= right.key ? left : right
        }
    }
}
