import FleetModel
import Randomness
import Units

/// A request, and the traffic it belongs to.
public struct RoutedArrival: Hashable, Sendable {
    public var arrival: Arrival
    /// Index into the sources, then the traces: source 0, …, then trace 0, ….
    public var source: Int

    public init(arrival: Arrival, source: Int) {
        self.arrival = arrival
        self.source = source
    }
}

/// All traffic of a run in order of time, made or read as it is asked for: memory is O(sources).
///
/// Requests of one moment come in order of their source. A copy of a stream continues with the same requests as the
/// original: nothing is drawn that does not follow from seed, source and request number.
public struct ArrivalStream {
    private var synthetic: [SyntheticLane]
    private var traces: [TraceLane]
    /// The next request of each lane that has one: a binary heap by (time, source).
    private var pending: [Pending] = []

    private struct Pending {
        var time: Int64
        var source: Int

        static func < (a: Pending, b: Pending) -> Bool { (a.time, a.source) < (b.time, b.source) }
    }

    /// Opens the traffic of a run.
    ///
    /// - Parameters:
    ///   - sources: Synthetic traffic.
    ///   - traces: Recorded traffic. Names of sources and traces are distinct.
    ///   - streams: The run's randomness.
    ///   - start: The first moment of the run; a trace's first record comes at it.
    ///   - duration: No request comes at `start + duration` or later.
    /// - Precondition: no source or trace has a `problem`.
    public init(
        sources: [TrafficSource], traces: [TraceTraffic] = [], streams: RandomStreams, start: Instant,
        duration: TimeSpan
    ) {
        let names = sources.map(\.name) + traces.map(\.name)
        precondition(
            Set(names).count == names.count, "two sources of traffic share a name, and so their random streams")
        synthetic = sources.map { SyntheticLane($0, streams: streams, start: start, duration: duration) }
        self.traces = traces.map { TraceLane($0, streams: streams, start: start, duration: duration) }
        let times = synthetic.map(\.time) + self.traces.map(\.time)
        pending = times.enumerated().compactMap { source, time in
            time.map { Pending(time: $0.nanoseconds, source: source) }
        }
        // Ascending order is a heap.
        pending.sort(by: <)
    }

    /// Why a trace ended before its end, such as a file that changed since it was checked. To be asked when the traffic
    /// is over: requests that a trace could not yield are missing.
    public var failure: (trace: Int, reason: TraceFailure)? {
        for (index, lane) in traces.enumerated() {
            if let failure = lane.failure { return (index, failure) }
        }
        return nil
    }

    /// The next request; `nil` when the run's traffic is over.
    ///
    /// - Complexity: O(log sources).
    public mutating func next() -> RoutedArrival? {
        guard let due = pending.first else { return nil }
        let time = Instant(nanoseconds: due.time)
        let arrival: Arrival
        let following: Instant?
        if due.source < synthetic.count {
            arrival = synthetic[due.source].next(at: time)
            following = synthetic[due.source].time
        } else {
            let index = due.source - synthetic.count
            arrival = traces[index].next(at: time)
            following = traces[index].time
        }
        if let following {
            pending[0].time = following.nanoseconds
        } else {
            pending[0] = pending[pending.count - 1]
            pending.removeLast()
        }
        settleFirst()
        return RoutedArrival(arrival: arrival, source: due.source)
    }

    /// Moves the first entry down to where it belongs.
    private mutating func settleFirst() {
        var hole = 0
        while true {
            var child = 2 * hole + 1
            guard child < pending.count else { return }
            if child + 1 < pending.count, pending[child + 1] < pending[child] { child += 1 }
            guard pending[child] < pending[hole] else { return }
            pending.swapAt(hole, child)
            hole = child
        }
    }
}
