import Units

/// The distribution of many durations: mergeable, of bounded size, with a stated relative error.
///
/// Range: 0 to 1 day. A duration outside is recorded at the nearer end and counted in `outOfRange`; `count`, `mean`,
/// `minimum` and `maximum` stay exact. Quantiles and shares are read from cells no wider than 1/512 of their values.
/// At most 156 KB: keep one for a pool or a class of requests, not one for each request.
///
///     var ttft = LatencyHistogram()
///     ttft.record(.milliseconds(230))
///     ttft.quantile(0.99)
///
/// - Source: the cells of HdrHistogram (Gil Tene): each octave is divided into 512 equal ones. Written here because a
///   simulated request records half a dozen durations, and each takes about as long as the rest of its accounting.
public struct LatencyHistogram: Sendable {
    /// The most that a quantile may differ from the exact one, as a fraction of it: half a cell, 2⁻¹⁰ (0.1 %).
    public static let relativeError = 1.0 / 1024
    /// The longest duration with a cell of its own: 1 day.
    public static let longest = TimeSpan.hours(24)

    /// Counts by cell, as far as durations have reached.
    @usableFromInline var cells: [Int64] = []
    @usableFromInline var recorded: Int64 = 0
    @usableFromInline var total: Int128 = 0
    @usableFromInline var least = Int64.max
    @usableFromInline var greatest = Int64.min
    @usableFromInline var outside: Int64 = 0

    public init() {}

    /// Records a duration, `count` times over.
    ///
    /// - Precondition: `count > 0`.
    @inlinable
    public mutating func record(_ value: TimeSpan, count: Int = 1) {
        precondition(count > 0, "a duration is recorded at least once")
        let nanoseconds = value.nanoseconds
        let times = Int64(count)
        recorded += times
        total += Int128(nanoseconds) * Int128(times)
        if nanoseconds < least { least = nanoseconds }
        if nanoseconds > greatest { greatest = nanoseconds }
        var inside = nanoseconds
        if nanoseconds < 0 || nanoseconds > 86_400_000_000_000 {
            outside += times
            inside = max(0, min(nanoseconds, 86_400_000_000_000))
        }
        let cell = Cell.index(of: inside)
        if cell >= cells.count { reach(cell) }
        cells[cell] += times
    }

    /// Adds everything that `other` recorded, as if it had been recorded here.
    public mutating func merge(_ other: LatencyHistogram) {
        if other.cells.count > cells.count { reach(other.cells.count - 1) }
        for cell in other.cells.indices { cells[cell] += other.cells[cell] }
        recorded += other.recorded
        total += other.total
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
        outside += other.outside
    }

    /// Makes room for a cell and the rest of its octave.
    @usableFromInline
    mutating func reach(_ cell: Int) {
        let end = (cell / Cell.perOctave + 1) * Cell.perOctave
        // An array is added in one piece; a repeated element one by one, which in debug builds took most of a short run.
        cells += [Int64](repeating: 0, count: end - cells.count)
    }

    /// Where durations lie: whole nanoseconds below 1,024, then 512 cells an octave.
    @usableFromInline enum Cell {
        @usableFromInline static var bits: Int { 9 }
        @usableFromInline static var perOctave: Int { 1 << bits }

        /// - Parameter value: Nanoseconds, not negative.
        @inlinable static func index(of value: Int64) -> Int {
            let octave = max(0, 63 - bits - value.leadingZeroBitCount)
            return octave << bits + Int(value >> Int64(octave))
        }

        /// The first and the last nanosecond of a cell.
        @inlinable static func range(of index: Int) -> ClosedRange<Int64> {
            let octave = max(0, index >> bits - 1)
            let first = Int64(index - octave << bits) << Int64(octave)
            return first...(first + 1 << Int64(octave) - 1)
        }
    }
}
