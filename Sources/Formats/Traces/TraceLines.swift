import Units
import Workload

/// One record with the time the file gives it.
struct RawTraceRecord {
    var nanoseconds: Int64
    var promptTokens: Int32
    var outputTokens: Int32

    @inline(__always) func published(since origin: Int64) -> TraceRecord {
        TraceRecord(
            offset: TimeSpan(nanoseconds: nanoseconds - origin), promptTokens: promptTokens, outputTokens: outputTokens)
    }
}

/// The records of a trace file, line by line, with the times the file gives them. Blank lines are passed over.
///
/// Reads on through a `LineScanner`, so a copy that is to go on by itself is made by `copy()`.
struct TraceLines {
    let format: TraceFormat
    private(set) var scanner: LineScanner
    private var fields: LineFields
    private var azure = AzureTraceLine()

    /// Opens a trace and steps over its header.
    ///
    /// - Parameter format: Recognised from the first line when `nil`.
    init(_ file: InputFile, format: TraceFormat?) throws(InputError) {
        scanner = LineScanner(file)
        fields = LineFields(file: file.name)
        guard let first = try scanner.next() else { throw InputError(file: file.name, problem: .empty) }
        guard let format = format ?? TraceFormat.recognise(first) else {
            throw InputError(
                file: file.name, line: 1, problem: .unknownFormat(known: TraceFormat.allCases.map(\.rawValue)))
        }
        self.format = format
        if let header = format.header {
            guard first.elementsEqual(header.utf8) else {
                let problem = InputError.Problem.wrongHeader(expected: header, found: printable(first))
                throw InputError(file: file.name, line: 1, problem: problem)
            }
        } else {
            // It was a record.
            try scanner.seek(to: 0, line: 1)
        }
    }

    /// The number of the line that the last record was on.
    var line: Int { scanner.line }

    func copy() -> TraceLines {
        var copy = self
        copy.scanner = LineScanner(copying: scanner)
        return copy
    }

    /// Goes to before the record of a place.
    mutating func seek(to place: TracePlace) throws(InputError) {
        try scanner.seek(to: place.position, line: place.line)
    }

    @inline(__always) mutating func next() throws(InputError) -> RawTraceRecord? {
        if let record = nextRegular() { return record }
        while let line = try scanner.next() {
            if line.isEmpty { continue }
            fields.begin(line, line: scanner.line)
            return switch format {
            case .azure: try azure.read(&fields)
            case .csv: try plainTraceLine(&fields)
            case .mooncake: try mooncakeTraceLine(&fields)
            }
        }
        return nil
    }

    /// Appends records until there are `limit` of them or the file ends. Their times are made relative to `origin`.
    mutating func next(into records: inout [TraceRecord], upTo limit: Int, since origin: Int64) throws(InputError) {
        while records.count < limit, let record = try next() { records.append(record.published(since: origin)) }
    }

    /// The record of the next line, if that is without surprises and wholly in memory; otherwise `nil`, and the line is
    /// still to be read, with care. Most lines are like that, and their end need not be looked for.
    @inline(__always) private func nextRegular() -> RawTraceRecord? {
        guard format != .mooncake, let line = scanner.line(ofAtMost: RegularDigits.longestLine) else { return nil }
        var digits = RegularDigits(line)
        let time = format == .azure ? azure.regularTime(&digits) : digits.seconds(below: 3_155_760_000)
        guard let time, digits.take(UInt8(ascii: ",")), let prompt = digits.tokens(), digits.take(UInt8(ascii: ",")),
            let output = digits.tokens()
        else { return nil }
        _ = digits.take(0x0D)
        guard digits.take(0x0A) else { return nil }
        scanner.stepOverLine(of: digits.next - line)
        return RawTraceRecord(nanoseconds: time, promptTokens: prompt, outputTokens: output)
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
    return RawTraceRecord(nanoseconds: time, promptTokens: prompt, outputTokens: output)
}
