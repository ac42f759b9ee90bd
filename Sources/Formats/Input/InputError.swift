/// Input that cannot be read as the table or trace it should be, with the place where reading stopped.
public struct InputError: Error, Hashable, Sendable {
    public enum Problem: Hashable, Sendable {
        /// The file does not exist, is a folder, or the system refuses it; in the system's words.
        case unreadable(String)
        /// The file ends in the middle of its gzip stream.
        case truncated
        /// The gzip stream is damaged, in zlib's words.
        case corrupt(String)
        /// A line is longer than any record could be; the file is no text of the expected kind.
        case lineTooLong(limit: Int)
        /// The file is larger than its kind may be, in bytes.
        case tooLarge(limit: Int)
        /// More records than can be numbered.
        case tooManyRecords(limit: Int)
        /// More records of one rounded time than can be spread.
        case tooManyAtOnce(limit: Int)
        /// The file was written to after its reading began.
        case changed
        /// The first lines are of no known format.
        case unknownFormat(known: [String])
        /// The header is not the one expected.
        case wrongHeader(expected: String, found: String)
        /// A field is missing at the end of the line, or one too many is there.
        case wrongFieldCount(expected: Int)
        /// A field does not hold what it should: its name, what it should be, and its text.
        case badField(name: String, expected: String, found: String)
        /// The time lies before the one of the record before.
        case outOfOrder
        /// There is no record.
        case empty
    }

    /// The file as the user would name it.
    public var file: String
    /// Counted from 1; 0 when the problem is the file as a whole.
    public var line: Int
    /// In bytes, counted from 1.
    public var column: Int
    public var problem: Problem

    public init(file: String, line: Int = 0, column: Int = 1, problem: Problem) {
        self.file = file
        self.line = line
        self.column = column
        self.problem = problem
    }

    /// The same, as a reader of scenarios reports it.
    public var diagnostic: Diagnostic {
        let (message, fix) = problem.text
        return Diagnostic(file: file, line: line, column: column, message: message, fix: fix)
    }
}

extension InputError: CustomStringConvertible {
    public var description: String { diagnostic.description }
}

extension InputError.Problem {
    fileprivate var text: (message: String, fix: String?) {
        switch self {
        case .unreadable(let reason): ("cannot be read: \(reason)", nil)
        case .truncated: ("the gzip stream is cut short", "fetch the file again")
        case .corrupt(let reason): ("the gzip stream is damaged: \(reason)", "fetch the file again")
        case .lineTooLong(let limit): ("a line is longer than \(limit) bytes", "is this a text file?")
        case .tooLarge(let limit): ("the file is larger than \(limit) bytes", nil)
        case .tooManyRecords(let limit): ("more than \(limit) records", "split the file")
        case .tooManyAtOnce(let limit):
            ("more than \(limit) records share one time", "give the times with more digits, in the format csv")
        case .changed: ("the file was written to while it was in use", "run again once it stays as it is")
        case .unknownFormat(let known): ("the format is not recognised", "formats: \(known.joined(separator: ", "))")
        case .wrongHeader(let expected, let found): ("header '\(found)' is not the one expected", "header: \(expected)")
        case .wrongFieldCount(let expected): ("the line does not have \(expected) fields", nil)
        case .badField(let name, let expected, let found): ("\(name) '\(found)' is not \(expected)", nil)
        case .outOfOrder: ("the time lies before that of the record before", "sort the records by time")
        case .empty: ("there is no record", nil)
        }
    }
}
