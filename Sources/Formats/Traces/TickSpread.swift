/// Spreads arrivals that share a rounded time.
///
/// A trace whose times were rounded to ticks brings its requests in bursts that never happened. Requests of one time
/// are therefore set at even distances from it: n requests of a tick of length T at t, t + T/n, t + 2T/n … The tick is
/// the smallest distance between two different times of the file, so that order is kept.
struct TickSpread: Hashable, Sendable {
    /// More records of one time than this are an error, because they are in memory together.
    static let limit = 1_000_000

    /// Nanoseconds. Positive.
    var tick: Int64

    /// What the time of record `index` of `count` at one time is put off by. Nanoseconds.
    func shift(of index: Int, among count: Int) -> Int64 {
        // Quotient and remainder apart, so that no product can overflow.
        let (step, rest) = tick.quotientAndRemainder(dividingBy: Int64(count))
        return step * Int64(index) + rest * Int64(index) / Int64(count)
    }
}
