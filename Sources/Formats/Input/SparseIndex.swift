/// Something at a place of a text.
protocol Placed: Sendable {
    /// Bytes of the text before it.
    var position: Int { get }
}

/// Places in a text, in order and a certain distance apart, found while it was read once.
///
/// Memory is bounded however long the text: when there are too many places, every second one is let go and new ones are
/// taken at twice the distance.
struct SparseIndex<Place: Placed>: Sendable {
    private(set) var places: [Place] = []
    /// At least this many bytes of text lie between two places.
    private(set) var distance: Int
    let capacity: Int
    /// From where on the next place is welcome.
    private(set) var next: Int

    init(distance: Int, capacity: Int) {
        self.distance = distance
        self.capacity = capacity
        next = distance
    }

    /// Adds a place at `next` or behind it.
    mutating func add(_ place: Place) {
        places.append(place)
        if places.count > capacity {
            places = places.indices.filter { $0 % 2 == 1 }.map { places[$0] }
            distance *= 2
        }
        next = place.position + distance
    }

    /// The last of the places for which `isBefore` holds, as it does for all before that one; `nil` when for none.
    func last(where isBefore: (Place) -> Bool) -> Place? {
        var (first, end) = (0, places.count)
        while first < end {
            let middle = (first + end) / 2
            if isBefore(places[middle]) { first = middle + 1 } else { end = middle }
        }
        return first == 0 ? nil : places[first - 1]
    }
}
