/// One problem of an input file: where it is, what it is, and how to mend it.
///
///     Scenarios/spot-surge/scenario.yaml:14:17: error: provision '90' has no unit
///         write a duration with its unit, for example '90s' or '1m30s'
public struct Diagnostic: Error, Hashable, Sendable, Codable {
    public enum Severity: String, Hashable, Sendable, Codable {
        case error
        case warning
    }

    /// The file as the user would name it.
    public var file: String
    /// Counted from 1; 0 when the problem is the file as a whole.
    public var line: Int
    /// Unicode scalars (bytes in a trace), counted from 1.
    public var column: Int
    public var severity: Severity
    /// One sentence without a full stop.
    public var message: String
    /// What to write instead, where that is known.
    public var fix: String?

    public init(
        file: String, line: Int, column: Int, severity: Severity = .error, message: String, fix: String? = nil
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.severity = severity
        self.message = message
        self.fix = fix
    }
}

extension Diagnostic: Comparable {
    /// Reading order: file, line, column; then text, so that equal positions have one order.
    public static func < (a: Diagnostic, b: Diagnostic) -> Bool {
        (a.file, a.line, a.column, a.severity.rawValue, a.message, a.fix ?? "")
            < (b.file, b.line, b.column, b.severity.rawValue, b.message, b.fix ?? "")
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `file:line:column: error: message`, and the fix on an indented line of its own.
    public var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        let head = "\(place): \(severity.rawValue): \(message)"
        return fix.map { head + "\n    " + $0 } ?? head
    }
}

/// Input that cannot be used, with every problem found in it.
public struct InvalidInput: Error, Sendable, CustomStringConvertible {
    /// In reading order; at least one is an error.
    public let diagnostics: [Diagnostic]

    public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics.sorted() }

    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
