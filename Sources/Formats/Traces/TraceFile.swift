import Units
import Workload

/// A trace as read: who asked for how much, and when.
public struct Trace: Sendable {
    public var format: TraceFormat
    /// In order of time, from an offset of zero.
    public var records: [TraceRecord]
    /// What the reader did to the times, one sentence each; empty when nothing.
    public var notes: [String]
}

/// Reads request traces in the formats of `TraceFormat`.
public enum TraceFile {
    /// Reads a whole trace into memory, checked as `FileTrace` checks it.
    ///
    /// - Throws: `InputError` from the check; `TraceFailure` when the file changed right after it.
    public static func read(path: String, name: String? = nil, format: TraceFormat? = nil) throws -> Trace {
        let file = try FileTrace(path: path, name: name, format: format)
        return Trace(format: file.format, records: try file.allRecords(), notes: file.notes)
    }
}
