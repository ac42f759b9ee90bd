import Units
import Workload

/// A trace file that was checked from its first line to its last, and whose records are read from it as they are
/// needed. In memory are a sparse index of it and, of a gzip file, what is needed to begin in its middle.
///
/// A file that was written to since it was checked is a failure of its reader.
public struct FileTrace: TraceSource {
    public let format: TraceFormat
    public let count: Int
    public let last: TimeSpan
    /// What is done to the times, one sentence each; empty when nothing.
    public let notes: [String]
    /// Of the file as it lies on disk; `nil` when it was not asked for.
    public let digest: Digest?

    let path: String
    let name: String
    let stamp: FileStamp
    let gzip: GzipIndex?
    let scan: TraceScan
    let spread: TickSpread?

    /// Checks a whole file.
    ///
    /// - Parameters:
    ///   - path: A plain or gzip file.
    ///   - name: The name to report problems under; the path when `nil`.
    ///   - format: Recognised from the first line when `nil`.
    ///   - digesting: Whether to take the file's digest too.
    /// - Throws: `InputError` with the line of the first record that is not one: a missing, cut, damaged or binary
    ///   file, a field that is no number or out of its range, a time before the one before it, or no record at all.
    public init(
        path: String, name: String? = nil, format: TraceFormat? = nil, digesting: Bool = false
    ) throws(InputError) {
        let name = name ?? path
        let file = try InputFile(path: path, name: name, digesting: digesting, indexing: true)
        var lines = try TraceLines(file, format: format)
        let spreads = lines.format.hasRoundedTimes
        let scan = try TraceScan(&lines, spreading: spreads)
        self.path = path
        self.name = name
        self.format = lines.format
        self.scan = scan
        stamp = file.stamp
        gzip = file.foundIndex
        digest = file.digest
        count = scan.count
        let spread = spreads ? scan.tick.map { TickSpread(tick: $0) } : nil
        self.spread = spread
        let shift = spread?.shift(of: scan.atLast - 1, among: scan.atLast) ?? 0
        last = TimeSpan(nanoseconds: scan.last + shift)
        guard let spread, scan.repeated > 0 else {
            notes = []
            return
        }
        notes = [
            "times come in ticks of \(TimeSpan(nanoseconds: spread.tick)): "
                + "\(scan.repeated) arrivals were spread evenly inside theirs"
        ]
    }

    public func open() throws(TraceFailure) -> any TraceReader { try FileTraceReader(self) }

    /// How many records there are from the first one on for which `isBeyond` holds, as it does for all after it.
    ///
    /// - Parameter start: Before that record, and better not long before it.
    public func count(
        from start: TimeSpan, where isBeyond: (TraceRecord) -> Bool
    ) throws(TraceFailure) -> Int {
        var reader = try FileTraceReader(self)
        try reader.seek(to: start)
        var records: [TraceRecord] = []
        while true {
            try reader.next(into: &records)
            if records.isEmpty { return 0 }
            if let first = records.firstIndex(where: isBeyond) {
                return count - (reader.position - records.count + first)
            }
        }
    }
}
