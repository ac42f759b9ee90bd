import Units

/// One line of a trace.
public struct TraceRecord: Hashable, Sendable, Codable {
    /// Time since the trace's first line. Not negative; records are in order of it.
    public var offset: TimeSpan
    /// At least 1.
    public var promptTokens: Int32
    /// At least 1.
    public var outputTokens: Int32

    public init(offset: TimeSpan, promptTokens: Int32, outputTokens: Int32) {
        self.offset = offset
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
    }
}

/// Where a trace's records come from: memory, a file that is read as it is played, or pieces of another trace.
///
/// Every reader of a source yields the same records: in order of their offsets, none of them negative, each with
/// tokens. A source that finds it cannot keep that promise, such as a file that was written to since it was checked,
/// throws from its reader.
public protocol TraceSource: Sendable {
    /// How many records there are; of pieces of another trace, how many that one has.
    var count: Int { get }
    /// The offset of the last record; zero when there is none.
    var last: TimeSpan { get }
    /// Why the records cannot be played, in words that follow a name; `nil` when they can.
    var problem: String? { get }

    /// A reader before the first record.
    func open() throws(TraceFailure) -> any TraceReader
}

/// A place in a trace, from which records are read onward. A value: a copy reads on by itself.
public protocol TraceReader {
    /// Replaces `records` by the next ones, as many as are convenient to have at once; by none at the end.
    mutating func next(into records: inout [TraceRecord]) throws(TraceFailure)

    /// Goes, forward or back, to before the first record whose offset is `offset` or more.
    mutating func seek(to offset: TimeSpan) throws(TraceFailure)
}

/// A trace that could be read once and cannot be any more.
public struct TraceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with which file, and what to do.
    public var description: String

    public init(_ description: String) { self.description = description }
}

extension TraceSource {
    public var problem: String? { nil }

    /// Every record at once: for traces known to be small.
    public func allRecords() throws(TraceFailure) -> [TraceRecord] {
        var reader = try open()
        var (all, some): ([TraceRecord], [TraceRecord]) = ([], [])
        all.reserveCapacity(count)
        while true {
            try reader.next(into: &some)
            if some.isEmpty { return all }
            all += some
        }
    }
}
