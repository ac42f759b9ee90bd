/// The bytes of each token, and the token of given bytes.
///
/// The table is open addressing under Swift's seeded hash, so no file can be written to make it slow.
struct TokenTable: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    /// Token + 1; 0 is free. At least twice as many places as tokens.
    private var places: [Int32]

    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        places = [Int32](repeating: 0, count: size)
        ends.reserveCapacity(capacity)
    }

    var count: Int { ends.count }

    func range(_ token: Int) -> Range<Int> { (token == 0 ? 0 : ends[token - 1])..<ends[token] }
    func bytes(of token: Int) -> ArraySlice<UInt8> { bytes[range(token)] }

    private func place(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(key))
        var place = hasher.finalize() & (places.count - 1)
        while places[place] != 0 {
            let range = self.range(Int(places[place]) - 1)
            if range.count == key.count, bytes[range].elementsEqual(key) { return place }
            place = (place + 1) & (places.count - 1)
        }
        return place
    }

    /// The token with these bytes.
    func token(_ key: UnsafeBufferPointer<UInt8>) -> Int32? {
        let entry = places[place(key)]
        return entry == 0 ? nil : entry - 1
    }

    func token(_ text: String) -> Int32? {
        var text = text
        return text.withUTF8 { token($0) }
    }

    /// Adds the next token; `false` when one has its bytes already, which keeps them.
    mutating func append(_ token: some Collection<UInt8>, isFound: Bool = true) -> Bool {
        let key = Array(token)
        let place = key.withUnsafeBufferPointer { self.place($0) }
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
        guard isFound else { return true }
        guard places[place] == 0 else { return false }
        places[place] = Int32(ends.count)
        return true
    }
}
