import Units

/// A distribution of durations in little memory, for the many parts of one run: cells 1/64 wide, about 11 KB.
///
/// Two are merged by adding their cells. `LatencyHistogram` is finer, with exact extremes and a mean, and 30 times as large.
public struct CompactHistogram: Hashable, Sendable {
    /// The most that a cell's end is above a duration in it, as a fraction of the duration.
    public static let cellWidth = 1.0 / 64

    /// Durations up to 63 ns have a cell each; each doubling above has 64, up to 2⁴⁷ ns (39 hours), which the last takes in.
    private var cells = [UInt32](repeating: 0, count: Self.cellCount)
    private static let cellCount = 64 * (47 - 6 + 1)

    public init() {}

    /// Counts a duration; below 0 is 0. Costs a few nanoseconds.
    public mutating func record(_ value: TimeSpan) { cells[Self.cell(of: value)] &+= 1 }

    /// Adds everything that `other` counted.
    public mutating func merge(_ other: CompactHistogram) {
        for index in cells.indices { cells[index] &+= other.cells[index] }
    }

    /// Durations counted.
    public var count: Int { cells.reduce(0) { $0 + Int($1) } }

    /// How many durations are in the cell of `limit` or in one below.
    public func count(through limit: TimeSpan) -> Int {
        cells[...Self.cell(of: limit)].reduce(0) { $0 + Int($1) }
    }

    /// The duration that the share `q` does not exceed, linearly inside its cell; `nil` when nothing was counted.
    ///
    /// - Precondition: `q` is in `0 ... 1`.
    public func quantile(_ q: Double) -> TimeSpan? {
        precondition(q >= 0 && q <= 1, "quantile \(q) is outside 0 ... 1")
        let total = count
        guard total > 0 else { return nil }
        let rank = q * Double(total)
        var below = 0
        for (index, inside) in cells.enumerated() where inside > 0 {
            if Double(below + Int(inside)) >= rank {
                let part = max(0, rank - Double(below)) / Double(inside)
                let (start, width) = Self.bounds(of: index)
                return TimeSpan(nanoseconds: start + Int64(part * Double(width)))
            }
            below += Int(inside)
        }
        return nil
    }

    private static func cell(of value: TimeSpan) -> Int {
        let nanoseconds = max(0, value.nanoseconds)
        guard nanoseconds >= 64 else { return Int(nanoseconds) }
        let exponent = 63 - nanoseconds.leadingZeroBitCount
        return min(cellCount - 1, (exponent - 5) * 64 + Int(nanoseconds >> (exponent - 6)) - 64)
    }

    private static func bounds(of cell: Int) -> (start: Int64, width: Int64) {
        guard cell >= 64 else { return (Int64(cell), 1) }
        let shift = cell / 64 - 1
        return (Int64(64 + cell % 64) << Int64(shift), 1 << Int64(shift))
    }
}
