import Units

/// A trace in memory.
public struct TraceRecords: TraceSource {
    /// In order of their offsets.
    public var records: [TraceRecord]

    public init(_ records: [TraceRecord]) { self.records = records }

    public var count: Int { records.count }
    public var last: TimeSpan { records.last?.offset ?? .zero }

    public var problem: String? {
        if let first = records.first, first.offset < .zero { return "a record before the start" }
        if zip(records, records.dropFirst()).contains(where: { $0.offset > $1.offset }) {
            return "records out of order"
        }
        if records.contains(where: { $0.promptTokens < 1 || $0.outputTokens < 1 }) { return "a record without tokens" }
        return nil
    }

    public func open() -> any TraceReader { Reader(records: records, next: 0) }

    private struct Reader: TraceReader {
        /// Few enough that what is read in vain before a `seek` costs nothing.
        static let batch = 256

        let records: [TraceRecord]
        var next: Int

        mutating func next(into batch: inout [TraceRecord]) {
            let end = min(next + Self.batch, records.count)
            batch.removeAll(keepingCapacity: true)
            batch += records[next..<end]
            next = end
        }

        mutating func seek(to offset: TimeSpan) {
            var (first, end) = (0, records.count)
            while first < end {
                let middle = (first + end) / 2
                if records[middle].offset < offset { first = middle + 1 } else { end = middle }
            }
            next = first
        }
    }
}
