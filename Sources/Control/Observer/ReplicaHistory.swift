import FleetModel
import Units

/// What is known of one replica: its last gauges, each with its age, and its latency histograms over a window.
struct ReplicaHistory {
    struct Reading {
        var value: Double
        var time: Instant

        func fresh(at now: Instant, staleness: TimeSpan) -> Double? { now - time <= staleness ? value : nil }
    }

    let replica: ReplicaID
    private(set) var latest: Instant
    private(set) var running: Reading?
    private(set) var waiting: Reading?
    private(set) var kvUtilization: Reading?
    private(set) var ttft = Histogram()
    private(set) var itl = Histogram()

    /// - Parameter sample: the first one, still to be taken in.
    init(first sample: ReplicaSample) {
        replica = sample.replica
        latest = Instant(nanoseconds: .min)
    }

    /// Takes in a sample, unless it is no newer than the last one. A value that is absent or impossible leaves what was
    /// known, which goes on ageing.
    mutating func takeIn(_ sample: ReplicaSample, window: TimeSpan) {
        guard sample.time > latest else { return }
        latest = sample.time
        if let value = sample.runningSequences, value.isUsable { running = Reading(value: value, time: sample.time) }
        if let value = sample.waitingRequests, value.isUsable { waiting = Reading(value: value, time: sample.time) }
        if let value = sample.kvUtilization, value.isUsable, value <= 1 {
            kvUtilization = Reading(value: value, time: sample.time)
        }
        if let counts = sample.ttft { ttft.takeIn(counts, at: sample.time, window: window) }
        if let counts = sample.itl { itl.takeIn(counts, at: sample.time, window: window) }
    }

    /// A histogram's counters, as long as its buckets stay the same.
    struct Histogram {
        private(set) var upperBounds: [Double] = []
        private(set) var history = CounterHistory()

        mutating func takeIn(_ counts: BucketCounts, at time: Instant, window: TimeSpan) {
            guard counts.isUsable else { return }
            if counts.upperBounds != upperBounds {
                upperBounds = counts.upperBounds
                history = CounterHistory()
            }
            history.add(counts.cumulative, at: time, window: window)
        }
    }
}

extension Double {
    /// Whether a count or a gauge can have this value.
    var isUsable: Bool { isFinite && self >= 0 }
}

extension BucketCounts {
    /// Whether bounds ascend and counts are possible and do not fall from bucket to bucket.
    fileprivate var isUsable: Bool {
        var previous = 0.0
        for count in cumulative {
            guard count.isFinite, count >= previous else { return false }
            previous = count
        }
        return cumulative.count == upperBounds.count + 1
            && zip(upperBounds, upperBounds.dropFirst()).allSatisfy { $0 < $1 }
            && upperBounds.allSatisfy(\.isFinite)
    }
}
