import Units

/// Where a record stands in a trace file.
struct TracePlace: Placed {
    /// Of the text, where the record's line begins.
    var position: Int
    /// Of that line, counted from 1.
    var line: Int
    /// Of the record, counted from 0.
    var record: Int
    /// As the file has it, since the first record. Nanoseconds.
    var time: Int64
}

/// The first reading of a trace file: every line is checked and none is kept.
struct TraceScan {
    /// More records than this cannot be told apart by the streams that draw for them.
    static let recordLimit = 4_000_000_000

    private(set) var count = 0
    /// The time of the first record as the file has it, and of the last one since then.
    private(set) var origin: Int64 = 0
    private(set) var last: Int64 = 0
    /// Before the first record.
    private(set) var start: TracePlace
    /// At most a megabyte.
    private(set) var index = SparseIndex<TracePlace>(distance: 16 * 1024, capacity: 32 * 1024)
    /// The smallest distance between two different times; `nil` when all are the same.
    private(set) var tick: Int64?
    /// Records at the same time as the one before them; and at the last time, all of them.
    private(set) var repeated = 0
    private(set) var atLast = 0

    /// Reads to the end.
    ///
    /// - Parameter spreading: Whether records of one time are to be spread later: they must then be few enough to be held,
    ///   and reading never begins among them.
    init(_ lines: inout TraceLines, spreading: Bool) throws(InputError) {
        let name = lines.scanner.name
        start = TracePlace(position: lines.scanner.position, line: lines.line + 1, record: 0, time: 0)
        while true {
            let (position, line) = (lines.scanner.position, lines.line + 1)
            guard let record = try lines.next() else { break }
            if count == 0 { origin = record.nanoseconds }
            let time = record.nanoseconds - origin
            guard time >= last else { throw InputError(file: name, line: lines.line, problem: .outOfOrder) }
            if time > last || count == 0 {
                if count > 0 { tick = min(tick ?? .max, time - last) }
                atLast = 1
            } else {
                repeated += 1
                atLast += 1
            }
            if position >= index.next, !spreading || atLast == 1 {
                index.add(TracePlace(position: position, line: line, record: count, time: time))
            }
            if spreading, atLast > TickSpread.limit {
                throw InputError(file: name, line: lines.line, problem: .tooManyAtOnce(limit: TickSpread.limit))
            }
            guard count < Self.recordLimit else {
                throw InputError(file: name, line: lines.line, problem: .tooManyRecords(limit: Self.recordLimit))
            }
            last = time
            count += 1
        }
        guard count > 0 else { throw InputError(file: name, problem: .empty) }
    }
}
