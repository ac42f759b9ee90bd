/// Writes a table as CSV: a header, then rows, each ended by CR LF as the standard has it or by LF alone.
///
///     var csv = CSVWriter(columns: ["pool", "cost_usd"])
///     csv.row(["chat", "12.29"])
///
/// - Source: RFC 4180. A field with a comma, a quote or a line break is quoted, and quotes in it are doubled.
public struct CSVWriter: Sendable {
    /// The table so far.
    public private(set) var text = ""
    private let columns: Int
    private let lineEnd: String

    /// - Parameter lineEnd: `"\n"`, which every reader takes, unless a format asks for `"\r\n"`.
    public init(columns: [String], lineEnd: String = "\n") {
        self.columns = columns.count
        self.lineEnd = lineEnd
        append(columns)
    }

    /// Adds a row.
    ///
    /// - Precondition: as many fields as columns.
    public mutating func row(_ fields: [String]) {
        precondition(fields.count == columns, "\(fields.count) fields in a table of \(columns) columns")
        append(fields)
    }

    private mutating func append(_ fields: [String]) {
        for (index, field) in fields.enumerated() {
            if index > 0 { text += "," }
            text += Self.quoted(field)
        }
        text += lineEnd
    }

    private static func quoted(_ field: String) -> String {
        // Bytes, not characters: CR LF is one Character, and would hide from a search for either.
        guard field.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return field }
        var text = "\""
        for scalar in field.unicodeScalars {
            if scalar == "\"" { text += "\"" }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }
}
