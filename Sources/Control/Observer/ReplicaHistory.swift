import FleetModel
import Units

/// What is known of one replica: its last sample that can be believed, and its latency histograms over a window.
struct ReplicaHistory {
    let replica: ReplicaID
    private(set) var latest: ReplicaSample?
    private var doubt = Doubt()
    private(set) var ttft = Histogram()
    private(set) var itl = Histogram()

    init(_ replica: ReplicaID) { self.replica = replica }

    /// Takes in a sample that is newer than the last one and whole.
    ///
    /// A page with an impossible value, or without one that it used to have, is believed in nothing: what was known stays,
    /// and goes on ageing. A replica that has started again may have another page.
    mutating func takeIn(_ sample: ReplicaSample, window: TimeSpan) {
        if let latest, sample.time <= latest.time { return }
        guard sample.isPossible else { return noteFailure(at: sample.time) }
        if let latest {
            if sample.hasFallen(below: latest) {
                doubt.restarted = sample.time
            } else if sample.lacks(what: latest) {
                return noteFailure(at: sample.time)
            }
        }
        doubt.stuckSince = latest.flatMap { sample.isStuck(since: $0) ? doubt.stuckSince ?? $0.time : nil }
        latest = sample
        if let counts = sample.ttft { ttft.takeIn(counts, at: sample.time, window: window) }
        if let counts = sample.itl { itl.takeIn(counts, at: sample.time, window: window) }
    }

    mutating func noteFailure(at time: Instant) { doubt.failed = time }

    func isDoubtful(at now: Instant, window: TimeSpan, staleness: TimeSpan) -> Bool {
        doubt.isCast(at: now, window: window, staleness: staleness, latest: latest?.time)
    }

    /// A histogram's counters, as long as its buckets stay the same.
    struct Histogram {
        private(set) var upperBounds: [Double] = []
        private(set) var history = CounterHistory()

        mutating func takeIn(_ counts: BucketCounts, at time: Instant, window: TimeSpan) {
            if counts.upperBounds != upperBounds {
                upperBounds = counts.upperBounds
                history = CounterHistory()
            }
            history.add(counts.cumulative, at: time, window: window)
        }
    }
}

/// Why a source of samples may not be believed.
struct Doubt {
    /// The last scrape that brought nothing to believe.
    var failed: Instant?
    /// When its counters were first seen to have started again.
    var restarted: Instant?

    /// Since when it has run sequences without a token more.
    var stuckSince: Instant?

    /// - Parameter latest: When its last good sample was taken.
    func isCast(at now: Instant, window: TimeSpan, staleness: TimeSpan, latest: Instant?) -> Bool {
        if let restarted, now - restarted < window { return true }
        if let stuckSince, now - stuckSince >= staleness { return true }
        guard let failed else { return false }
        return latest.map { $0 <= failed } ?? true
    }
}
