/// Reads a small table of numbers and words with a header, plain or gzip, into rows of fields.
///
/// For measured tables of up to some hundred thousand rows; traces have readers of their own. Fields are not quoted in
/// any table read here, so a quote is an error rather than half a standard.
struct CSVTable {
    let columns: [String]
    private let lines: LineScanner

    /// Opens a table.
    ///
    /// - Parameter required: Columns that must be there, in any order and among others.
    init(path: String, name: String, required: [String]) throws(InputError) {
        lines = try LineScanner(path: path, name: name)
        guard let header = try lines.next() else { throw InputError(file: name, problem: .empty) }
        columns = String(decoding: header, as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false)
            .map(String.init)
        guard required.allSatisfy(columns.contains) else {
            let problem = InputError.Problem.wrongHeader(
                expected: required.joined(separator: ","), found: printable(header))
            throw InputError(file: name, line: 1, problem: problem)
        }
    }

    /// Calls `body` for each row; blank lines are passed over.
    func forEachRow(_ body: (CSVRow) throws(InputError) -> Void) throws(InputError) {
        while let line = try lines.next() {
            guard !line.isEmpty else { continue }
            let fields = String(decoding: line, as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == columns.count, !line.contains(UInt8(ascii: "\"")) else {
                throw InputError(
                    file: lines.name, line: lines.line, problem: .wrongFieldCount(expected: columns.count))
            }
            try body(CSVRow(file: lines.name, line: lines.line, columns: columns, fields: fields))
        }
    }
}

/// One row of a `CSVTable`; its fields by the name of their column.
struct CSVRow {
    let file: String
    let line: Int
    let columns: [String]
    let fields: [Substring]

    func text(_ column: String) -> String { String(fields[index(column)]) }

    /// A whole number of zero or more.
    func count(_ column: String) throws(InputError) -> Int {
        let field = fields[index(column)]
        guard let value = Int(field), value >= 0 else { throw error(column, expected: "a whole number of 0 or more") }
        return value
    }

    /// A finite number of zero or more.
    func number(_ column: String) throws(InputError) -> Double {
        guard let value = plainNumber(fields[index(column)]), value >= 0 else {
            throw error(column, expected: "a number of 0 or more")
        }
        return value
    }

    private func index(_ column: String) -> Int {
        guard let index = columns.firstIndex(of: column) else { preconditionFailure("no column '\(column)' asked for") }
        return index
    }

    private func error(_ column: String, expected: String) -> InputError {
        let at = index(column)
        let offset = fields[..<at].reduce(0) { $0 + $1.utf8.count + 1 }
        return InputError(
            file: file, line: line, column: offset + 1,
            problem: .badField(name: column, expected: expected, found: printable(fields[at].utf8)))
    }
}
