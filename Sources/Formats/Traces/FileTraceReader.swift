import Units
import Workload

/// Reads a checked trace again. A value: a copy that is read from takes its own place in the file.
struct FileTraceReader: TraceReader {
    private var cursor: Cursor

    init(_ trace: FileTrace) throws(TraceFailure) {
        cursor = try FileTraceReader.telling { () throws(InputError) in try Cursor(trace) }
    }

    /// The number of the record that comes next; between two calls of `next`.
    var position: Int { cursor.record }

    mutating func next(into records: inout [TraceRecord]) throws(TraceFailure) {
        let cursor = own()
        try Self.telling { () throws(InputError) in try cursor.next(into: &records) }
    }

    mutating func seek(to offset: TimeSpan) throws(TraceFailure) {
        let cursor = own()
        try Self.telling { () throws(InputError) in try cursor.seek(to: offset.nanoseconds) }
    }

    private mutating func own() -> Cursor {
        if !isKnownUniquelyReferenced(&cursor) { cursor = Cursor(copying: cursor) }
        return cursor
    }

    private static func telling<Value>(
        _ body: () throws(InputError) -> Value
    ) throws(TraceFailure) -> Value {
        do {
            return try body()
        } catch {
            throw TraceFailure("\(error)")
        }
    }
}

extension FileTraceReader {
    /// A place in the file, with the buffers to read on from it.
    private final class Cursor {
        /// Few enough that what is read in vain before a `seek` costs little.
        static let batch = 256

        private let trace: FileTrace
        private var lines: TraceLines
        /// The number of the next record.
        private(set) var record = 0
        /// The first record behind those of one time, read to see that they are all.
        private var following: RawTraceRecord?
        /// Records before this offset are passed over.
        private var threshold = Int64.min

        init(_ trace: FileTrace) throws(InputError) {
            self.trace = trace
            let file = try InputFile(path: trace.path, name: trace.name, stamp: trace.stamp, index: trace.gzip)
            lines = try TraceLines(file, format: trace.format)
        }

        init(copying other: Cursor) {
            trace = other.trace
            lines = other.lines.copy()
            (record, following, threshold) = (other.record, other.following, other.threshold)
        }

        func seek(to offset: Int64) throws(InputError) {
            // Other records may share the time of the one at a place, so it must be one before.
            let place = trace.scan.index.last { $0.time < offset } ?? trace.scan.start
            try lines.seek(to: place)
            (record, following, threshold) = (place.record, nil, offset)
        }

        func next(into records: inout [TraceRecord]) throws(InputError) {
            repeat {
                records.removeAll(keepingCapacity: true)
                if let spread = trace.spread {
                    try readGroups(into: &records, spread)
                } else {
                    try lines.next(into: &records, upTo: Self.batch, since: trace.scan.origin)
                }
                record += records.count
            } while records.last.map { $0.offset.nanoseconds < threshold } ?? false
            if threshold > .min {
                let first = records.firstIndex { $0.offset.nanoseconds >= threshold } ?? records.count
                records.removeFirst(first)
                threshold = .min
            }
        }

        /// Reads all records of one time, and of further ones until they are a batch.
        private func readGroups(into records: inout [TraceRecord], _ spread: TickSpread) throws(InputError) {
            let origin = trace.scan.origin
            var next = following
            if next == nil { next = try lines.next() }
            while records.count < Self.batch, let head = next {
                let first = records.count
                repeat {
                    records.append(next!.published(since: origin))
                    next = try lines.next()
                } while next?.nanoseconds == head.nanoseconds
                let group = records.count - first
                for i in 1..<max(1, group) {
                    records[first + i].offset =
                        records[first + i].offset
                        + TimeSpan(nanoseconds: spread.shift(of: i, among: group))
                }
            }
            following = next
        }
    }
}
