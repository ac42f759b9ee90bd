import Units
import Workload

/// A trace as read: who asked for how much, and when.
public struct Trace: Sendable {
    public var format: TraceFormat
    /// In order of time, from an offset of zero.
    public var records: [TraceRecord]
    /// What the reader did to the times, one sentence each; empty when nothing.
    public var notes: [String]
    /// Of the file as it lies on disk; `nil` when it was not asked for.
    public var digest: Digest?
}

/// Reads request traces in the formats of `TraceFormat`.
public enum TraceFile {
    /// More records than this are an error: they would take gigabytes.
    public static let recordLimit = 100_000_000

    /// Reads a whole trace. Memory is the records and one chunk of the file, whatever the file holds.
    ///
    /// - Parameters:
    ///   - path: A plain or gzip file.
    ///   - name: The name to report problems under; the path when `nil`.
    ///   - format: Recognised from the first line when `nil`.
    ///   - digesting: Whether to take the file's digest too, which costs more than reading it.
    /// - Throws: `InputError` with the line of the first record that is not one: a missing, cut, damaged or binary
    ///   file, a field that is no number or out of its range, a time before the one before it, or no record at all.
    public static func read(
        path: String, name: String? = nil, format: TraceFormat? = nil, digesting: Bool = false
    ) throws(InputError) -> Trace {
        let lines = try LineScanner(path: path, name: name ?? path, digesting: digesting)
        guard let first = try lines.next() else { throw InputError(file: lines.name, problem: .empty) }
        guard let format = format ?? TraceFormat.recognise(first) else {
            throw InputError(
                file: lines.name, line: 1, problem: .unknownFormat(known: TraceFormat.allCases.map(\.rawValue)))
        }
        var records: [TraceRecord]
        var notes: [String] = []
        switch format {
        case .azure:
            try require(TraceFormat.azureHeader, is: first, in: lines)
            var parser = AzureTraceLine()
            records = try readRecords(lines, first: nil) { fields throws(InputError) in try parser.read(&fields) }
        case .csv:
            try require(TraceFormat.csvHeader, is: first, in: lines)
            records = try readRecords(lines, first: nil) { fields throws(InputError) in try plainTraceLine(&fields) }
        case .mooncake:
            records = try readRecords(lines, first: first) { fields throws(InputError) in
                try mooncakeTraceLine(&fields)
            }
            notes = TickSpread.apply(to: &records)
        }
        return Trace(format: format, records: records, notes: notes, digest: lines.digest)
    }

    private static func require(
        _ header: String, is line: UnsafeRawBufferPointer, in lines: LineScanner
    ) throws(InputError) {
        guard line.elementsEqual(header.utf8) else {
            let problem = InputError.Problem.wrongHeader(expected: header, found: printable(line))
            throw InputError(file: lines.name, line: 1, problem: problem)
        }
    }

    /// Reads line after line; blank lines are passed over. Times are made relative to the first record's.
    private static func readRecords(
        _ lines: LineScanner, first: UnsafeRawBufferPointer?,
        parse: (inout LineFields) throws(InputError) -> RawTraceRecord
    ) throws(InputError) -> [TraceRecord] {
        var records: [TraceRecord] = []
        var origin: Int64?
        var previous = Int64.min
        var next = first
        if next == nil { next = try lines.next() }
        while let line = next {
            if !line.isEmpty {
                var fields = LineFields(line, file: lines.name, line: lines.line)
                let raw = try parse(&fields)
                guard raw.nanoseconds >= previous else {
                    throw InputError(file: lines.name, line: lines.line, problem: .outOfOrder)
                }
                guard records.count < recordLimit else {
                    throw InputError(file: lines.name, line: lines.line, problem: .tooManyRecords(limit: recordLimit))
                }
                previous = raw.nanoseconds
                origin = origin ?? raw.nanoseconds
                records.append(
                    TraceRecord(
                        offset: TimeSpan(nanoseconds: raw.nanoseconds - origin!), promptTokens: raw.promptTokens,
                        outputTokens: raw.outputTokens))
            }
            next = try lines.next()
        }
        guard !records.isEmpty else { throw InputError(file: lines.name, problem: .empty) }
        return records
    }
}

/// One record with the time the file gives it.
struct RawTraceRecord {
    var nanoseconds: Int64
    var promptTokens: Int32
    var outputTokens: Int32

    @inline(__always) init(nanoseconds: Int64, prompt: Int64, output: Int64) {
        self.nanoseconds = nanoseconds
        promptTokens = Int32(prompt)
        outputTokens = Int32(output)
    }
}

/// A line of `TraceFormat.csv`.
@inline(__always) func plainTraceLine(_ fields: inout LineFields) throws(InputError) -> RawTraceRecord {
    let time = try fields.time("offset_s", unit: 1_000_000_000)
    try fields.separator(of: 3)
    let prompt = try fields.count("prompt_tokens")
    try fields.separator(of: 3)
    let output = try fields.count("output_tokens")
    try fields.finish(fields: 3)
    return RawTraceRecord(nanoseconds: time, prompt: prompt, output: output)
}
