import Units
import Workload

/// Spreads arrivals that share a rounded time.
///
/// A trace whose times were rounded to ticks brings its requests in bursts that never happened. Requests of one time
/// are therefore set at even distances from it: n requests of a tick of length T at t, t + T/n, t + 2T/n … The tick is
/// the smallest distance between two different times of the file, so that order is kept.
enum TickSpread {
    /// Spreads in place; returns what a reader must know about it.
    static func apply(to records: inout [TraceRecord]) -> [String] {
        var tick = Int64.max
        for i in records.indices.dropFirst() {
            let gap = records[i].offset.nanoseconds - records[i - 1].offset.nanoseconds
            if gap > 0 { tick = min(tick, gap) }
        }
        guard tick != .max else { return [] }
        var (first, moved) = (0, 0)
        while first < records.count {
            let time = records[first].offset
            var end = first + 1
            while end < records.count, records[end].offset == time { end += 1 }
            let count = Int64(end - first)
            for i in 1..<max(1, end - first) {
                // Quotient and remainder apart, so that no product can overflow.
                let (step, rest) = tick.quotientAndRemainder(dividingBy: count)
                let shift = step * Int64(i) + rest * Int64(i) / count
                records[first + i].offset = time + TimeSpan(nanoseconds: shift)
                moved += 1
            }
            first = end
        }
        guard moved > 0 else { return [] }
        return [
            "times come in ticks of \(TimeSpan(nanoseconds: tick)): \(moved) arrivals were spread evenly inside theirs"
        ]
    }
}
