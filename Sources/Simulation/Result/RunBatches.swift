import Statistics
import Units

/// A run cut into equal slices of time, each with the requests that arrived in it: what the run says of its own
/// uncertainty and warm-up.
///
/// 160 slices, five of which make a batch; each batch has the distribution of TTFT besides. Some 360 KB, whatever the run's
/// length. A request belongs to the slice it arrived in, whenever it ended.
public struct RunBatches: Sendable {
    public static let batches = 32
    public static let slicesPerBatch = 5

    /// One slice's requests.
    public struct Slice: Hashable, Sendable {
        public var arrived: Int64 = 0
        public var completed: Int64 = 0
        /// Requests that met every target of their class.
        public var met: Int64 = 0
        /// Sum of TTFT over completed requests.
        public var ttftNanoseconds: Int128 = 0
    }

    /// The length of a slice; the last may be shorter.
    public let span: TimeSpan
    /// In order of time.
    public private(set) var slices = [Slice](repeating: Slice(), count: Self.batches * Self.slicesPerBatch)
    /// TTFT of completed requests, by batch.
    public private(set) var ttft = [CompactHistogram](repeating: CompactHistogram(), count: Self.batches)

    /// - Precondition: `duration` is positive.
    public init(duration: TimeSpan) {
        precondition(duration > .zero, "a run of \(duration)")
        let count = Int64(Self.batches * Self.slicesPerBatch)
        span = TimeSpan(nanoseconds: (duration.nanoseconds + count - 1) / count)
    }

    /// A request arrives, so long after the start.
    public mutating func arrive(after time: TimeSpan) { slices[slice(of: time)].arrived += 1 }

    /// A request that arrived so long after the start has completed.
    public mutating func complete(arrivedAfter time: TimeSpan, ttft first: TimeSpan, isMet: Bool) {
        let index = slice(of: time)
        slices[index].completed += 1
        slices[index].met += isMet ? 1 : 0
        slices[index].ttftNanoseconds += Int128(first.nanoseconds)
        ttft[index / Self.slicesPerBatch].record(first)
    }

    /// Adds the requests of another part of the same run.
    ///
    /// - Precondition: both have the same `span`.
    public mutating func merge(_ other: RunBatches) {
        precondition(span == other.span, "slices of \(span) and of \(other.span)")
        for index in slices.indices {
            slices[index].arrived += other.slices[index].arrived
            slices[index].completed += other.slices[index].completed
            slices[index].met += other.slices[index].met
            slices[index].ttftNanoseconds += other.slices[index].ttftNanoseconds
        }
        for index in ttft.indices { ttft[index].merge(other.ttft[index]) }
    }

    private func slice(of time: TimeSpan) -> Int {
        max(0, min(slices.count - 1, Int(time.nanoseconds / span.nanoseconds)))
    }
}
