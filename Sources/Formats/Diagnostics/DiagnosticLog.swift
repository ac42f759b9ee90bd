/// A place in a text file, both counted from 1.
struct Position: Hashable {
    var line: Int
    var column: Int

    static let start = Position(line: 1, column: 1)
}

/// Collects the problems of all files of one reading, so that a user sees them at once.
///
/// A class because the readers of nested maps write to the same log; it never leaves the reading that made it.
final class DiagnosticLog {
    private var found: Set<Diagnostic> = []

    /// Every problem, in reading order; one that was met twice is told once.
    var diagnostics: [Diagnostic] { found.sorted() }
    var hasErrors: Bool { found.contains { $0.severity == .error } }

    func error(_ file: String, _ position: Position?, _ message: String, fix: String? = nil) {
        add(.error, file, position, message, fix)
    }

    func warning(_ file: String, _ position: Position?, _ message: String, fix: String? = nil) {
        add(.warning, file, position, message, fix)
    }

    func add(_ diagnostic: Diagnostic) { found.insert(diagnostic) }

    private func add(
        _ severity: Diagnostic.Severity, _ file: String, _ position: Position?, _ message: String, _ fix: String?
    ) {
        let (line, column) = (position?.line ?? 0, position?.column ?? 0)
        add(Diagnostic(file: file, line: line, column: column, severity: severity, message: message, fix: fix))
    }
}
