import Units

extension LatencyHistogram {
    /// Durations recorded.
    public var count: Int { Int(recorded) }
    /// How many of them were below 0 or above 1 day.
    public var outOfRange: Int { Int(outside) }
    /// The exact sum, in nanoseconds.
    public var sum: Int128 { total }
    /// The exact mean, rounded to a nanosecond, halves up; `nil` when nothing was recorded.
    public var mean: TimeSpan? {
        guard count > 0 else { return nil }
        let n = 2 * Int128(count)
        let (quotient, remainder) = (2 * total + Int128(count)).quotientAndRemainder(dividingBy: n)
        return TimeSpan(nanoseconds: Int64(remainder < 0 ? quotient - 1 : quotient))
    }
    /// The exact shortest; `nil` when nothing was recorded.
    public var minimum: TimeSpan? { count > 0 ? TimeSpan(nanoseconds: least) : nil }
    /// The exact longest; `nil` when nothing was recorded.
    public var maximum: TimeSpan? { count > 0 ? TimeSpan(nanoseconds: greatest) : nil }

    /// The duration that the share `q` of the recorded ones do not exceed: the ⌈q · count⌉-th in order.
    ///
    /// Within `relativeError` of that duration, exact below 1024 ns and at q = 1; `nil` when nothing was recorded.
    ///
    /// - Precondition: `q` is in `0 ... 1`.
    public func quantile(_ q: Double) -> TimeSpan? {
        precondition(q >= 0 && q <= 1, "quantile \(q) is outside 0 ... 1")
        guard let maximum else { return nil }
        let rank = max(1, (q * Double(count)).rounded(.up))
        guard rank < Double(count) else { return maximum }
        var result = maximum
        walk { middle, below in
            guard Double(below) >= rank else { return true }
            result = middle
            return false
        }
        return result
    }

    /// The share of durations that are at most `limit`; `nil` when nothing was recorded.
    ///
    /// The cell of `limit` counts whole, so durations up to 1/512 above it may be counted too. Durations above 1 day
    /// share the cell of 1 day.
    public func share(atMost limit: TimeSpan) -> Double? {
        guard count > 0 else { return nil }
        guard limit.nanoseconds >= least else { return 0 }
        guard limit.nanoseconds < greatest else { return 1 }
        let bound = min(max(limit, .zero), Self.longest)
        let last = min(Cell.index(of: bound.nanoseconds), cells.count - 1)
        return Double(cells[0...last].reduce(0, +)) / Double(count)
    }

    /// The cumulative distribution as a picture needs it: at most `points` points, a step of 1/`points` or more apart in
    /// share, the last at the maximum. Empty when nothing was recorded.
    ///
    /// - Precondition: `points >= 1`.
    public func cumulative(points: Int) -> [(duration: TimeSpan, share: Double)] {
        precondition(points >= 1, "a distribution has at least one point")
        guard let maximum else { return [] }
        var result: [(duration: TimeSpan, share: Double)] = []
        var due = 1.0
        walk { middle, below in
            let share = Double(below) / Double(count)
            guard below < count else { return false }
            if share * Double(points) >= due {
                result.append((middle, share))
                due = (share * Double(points)).rounded(.down) + 1
            }
            return true
        }
        result.append((maximum, 1))
        return result
    }

    /// Visits the cells that hold something in ascending order, each with the middle of the cell (inside the exact
    /// extremes) and the count up to and with it, until `visit` says `false`.
    private func walk(_ visit: (_ middle: TimeSpan, _ below: Int64) -> Bool) {
        var below: Int64 = 0
        for (cell, inCell) in cells.enumerated() where inCell > 0 {
            below += inCell
            let range = Cell.range(of: cell)
            let middle = range.lowerBound + (range.upperBound - range.lowerBound + 1) / 2
            guard visit(TimeSpan(nanoseconds: max(least, min(middle, greatest))), below) else { return }
        }
    }

    /// The longest duration that is counted in the same cell as `value`: recording either is the same but for the mean.
    ///
    /// Durations of a day and more share the last cell, which never ends.
    @inlinable
    public func cellEnd(of value: TimeSpan) -> TimeSpan {
        guard value < Self.longest else { return TimeSpan(nanoseconds: .max) }
        return TimeSpan(nanoseconds: Cell.range(of: Cell.index(of: max(0, value.nanoseconds))).upperBound)
    }
}
