/// The durations of a run of equal steps: an arithmetic series, so that any number of them is a closed form in integers.
public struct StepRun: Hashable, Sendable {
    /// The duration of the next step.
    public var first: FineTime
    /// How much longer each step is than the one before. Not negative.
    public var growth: FineTime

    @inlinable public init(first: FineTime, growth: FineTime) {
        self.first = first
        self.growth = growth
    }

    /// The duration of the next `count` steps, exactly the sum of the single ones: k·T₀ + g·k(k−1)/2.
    ///
    /// - Precondition: `count >= 0`, and k(k−1)/2 fits 63 bits.
    @inlinable @inline(__always) public func duration(of count: Int64) -> FineTime {
        FineTime(units: first.units &* Int128(count) &+ growth.units &* Int128((count &* (count &- 1)) >> 1))
    }

    /// Leaves `count` steps behind.
    @inlinable public mutating func skip(_ count: Int64) { first = first.plus(growth, times: count) }

    /// The fewest steps that last `span` or longer, but at most `limit`.
    ///
    /// A root in floating point, put right in integers.
    @inlinable public func steps(toReach span: FineTime, limit: Int64) -> Int64 {
        guard span.units > 0 else { return 0 }
        let half = growth.estimate / 2
        let rest = first.estimate - half
        let root = 2 * span.estimate / (rest + (rest * rest + 4 * half * span.estimate).squareRoot())
        guard root < Double(limit) + 1 else { return limit }
        var count = min(limit, Int64(root))
        while count < limit, duration(of: count) < span { count += 1 }
        while count > 0, duration(of: count - 1) >= span { count -= 1 }
        return count
    }
}
