import FleetModel
import Units

/// A Prometheus histogram that is being filled: counts by upper bound.
///
/// Counters are copies of `ttft` or `itl`, so that all share one array of bounds, which stays in the processor's cache.
struct BucketCounter {
    static let ttft = BucketCounter(upperBounds: BucketCounts.ttftBounds)
    static let itl = BucketCounter(upperBounds: BucketCounts.itlBounds)

    private let upperBounds: [Double]
    /// The same bounds in nanoseconds.
    private let limits: [Int64]
    /// By leading zero bits of a duration: the first bucket that it can fall into.
    private let starts: [Int]
    private var counts: [Int64]
    /// Where the last observation fell, and the durations that fall there too, `low` excluded. Neighbouring steps take about
    /// the same time, so it is tried first.
    private var recent = 0
    private var low = Int64.min
    private var high: Int64

    init(upperBounds: [Double]) {
        self.upperBounds = upperBounds
        let limits = upperBounds.map { Int64(($0 * 1e9).rounded()) }
        self.limits = limits
        starts = (0...64).map { zeros in
            let least = zeros == 64 ? 0 : Int64(bitPattern: (1 << 63) >> UInt64(zeros))
            return limits.firstIndex { $0 >= least } ?? limits.count
        }
        counts = Array(repeating: 0, count: upperBounds.count + 1)
        high = limits.first ?? .max
    }

    mutating func add(_ value: TimeSpan, count: Int64 = 1) {
        if value.nanoseconds <= low || value.nanoseconds > high { find(value) }
        counts[recent] += count
    }

    private mutating func find(_ value: TimeSpan) {
        recent = starts[max(0, value.nanoseconds).leadingZeroBitCount]
        while recent < limits.count, value.nanoseconds > limits[recent] { recent += 1 }
        low = recent == 0 ? .min : limits[recent - 1]
        high = recent == limits.count ? .max : limits[recent]
    }

    /// As a scrape shows it before anything was observed.
    var unread: BucketCounts {
        BucketCounts(upperBounds: upperBounds, cumulative: Array(repeating: 0, count: counts.count))
    }

    /// Writes what a scrape shows.
    ///
    /// - Parameter reading: One of a counter with the same bounds.
    func read(into reading: inout BucketCounts) {
        var total = 0.0
        for index in counts.indices {
            total += Double(counts[index])
            reading.cumulative[index] = total
        }
    }
}

/// The last scrapes of a counter. Each is written over once its observer has dropped it, so scraping allocates nothing.
struct BucketReadings {
    private var readings: [BucketCounts]
    private var next = 0

    /// - Parameter kept: Scrapes that an observer holds, the newest included. With too few of them nothing is lost but
    ///   the saving: an array that is still held is copied.
    init(of counter: BucketCounter, kept: Int) {
        readings = Array(repeating: counter.unread, count: kept)
    }

    mutating func read(_ counter: BucketCounter) -> BucketCounts {
        counter.read(into: &readings[next])
        defer { next = next + 1 == readings.count ? 0 : next + 1 }
        return readings[next]
    }
}
