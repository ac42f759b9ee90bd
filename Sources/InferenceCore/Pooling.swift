#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How the hidden states of a text's tokens, after the last norm, become one vector: its embedding.
public enum Pooling: String, Hashable, Sendable {
    /// Their mean.
    case mean
    /// That of the last token, which alone has seen all others.
    case last
}

/// The vector of one text as its tokens come, in chunks of any size: sums are in the order of the tokens.
struct PooledText: Sendable {
    let pooling: Pooling
    private var sum: [Double] = []

    init(_ pooling: Pooling) { self.pooling = pooling }

    /// Adds the hidden states of consecutive tokens, `[tokens, width]`; those of the first token begin a text.
    mutating func add(_ states: UnsafeBufferPointer<Float>, width: Int, isFirst: Bool) {
        if isFirst || pooling == .last || sum.isEmpty { sum = [Double](repeating: 0, count: width) }
        let first = pooling == .last ? states.count - width : 0
        for index in first..<states.count { sum[index % width] += Double(states[index]) }
    }

    /// The pooled vector, of length 1; all zeros where it has no length.
    ///
    /// A mean is its sum up to a factor, which the length takes out again.
    var embedding: [Float] {
        let length = sqrt(sum.reduce(0) { $0 + $1 * $1 })
        return sum.map { length > 0 && length.isFinite ? Float($0 / length) : 0 }
    }
}
