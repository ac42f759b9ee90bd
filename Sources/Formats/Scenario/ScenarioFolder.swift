import Simulation
import Units

/// The files of a scenario: where they lie, and which were read.
final class ScenarioFolder {
    let log: DiagnosticLog
    private let scenarioPath: String
    /// Where the scenario lies, then the folder above.
    private let places: [String]
    /// What was read, in order, each file once.
    private(set) var files: [SourceFile] = []

    init(path: String, log: DiagnosticLog) {
        self.log = log
        var trimmed = path
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        scenarioPath = isFolder(trimmed) ? "\(trimmed)/scenario.yaml" : trimmed
        let folder = folderPart(of: scenarioPath)
        let above: String =
            switch folder {
            case "", ".": ".."
            case "/": "/"
            case _ where folder == ".." || folder.hasSuffix("/.."): folder + "/.."
            default: folderPart(of: folder).isEmpty ? "." : folderPart(of: folder)
            }
        places = [folder.isEmpty ? "." : folder, above]
    }

    /// The scenario's own document.
    func readScenario() -> (root: YAMLNode, file: ReadFile)? {
        guard let bytes = TextFile.bytes(path: scenarioPath, name: scenarioPath, log: log) else { return nil }
        let name = scenarioPath.split(separator: "/").last.map(String.init) ?? scenarioPath
        note(SourceFile(name: name, digest: Digest(of: bytes).hexadecimal))
        return TextFile.yaml(bytes, name: scenarioPath, log: log)
    }

    /// A YAML or JSON file that the scenario names; `nil`, with the reason in the log, when it cannot be read.
    ///
    /// - Parameters:
    ///   - reference: The path as the scenario has it.
    ///   - position: Where the scenario names it.
    func yaml(_ reference: String, _ what: String, at position: Position, in file: ReadFile) -> (
        root: YAMLNode, file: ReadFile
    )? {
        guard let path = path(of: reference, what, at: position, in: file),
            let bytes = TextFile.bytes(path: path, name: path, log: log)
        else { return nil }
        note(SourceFile(name: Self.portable(reference), digest: Digest(of: bytes).hexadecimal))
        return TextFile.yaml(bytes, name: path, log: log)
    }

    /// Where the file of `reference` is; `nil`, with an error at `position`, when there is none.
    func path(of reference: String, _ what: String, at position: Position, in file: ReadFile) -> String? {
        let candidates =
            reference.hasPrefix("/") ? [reference] : places.map { $0 == "." ? reference : "\($0)/\(reference)" }
        if let found = candidates.first(where: { exists($0) && !isFolder($0) }) { return found }
        file.error(
            position, "\(what) '\(shown(reference))' does not exist",
            fix: "looked for \(candidates.map { shown($0, limit: 300) }.joined(separator: " and "))")
        return nil
    }

    /// Adds a file to those the scenario was read from.
    func note(_ file: SourceFile) {
        if !files.contains(where: { $0.name == file.name }) { files.append(file) }
    }

    /// A name for reports: as the scenario has it, but never an absolute path, which would tell where it was made.
    static func portable(_ reference: String) -> String {
        guard reference.hasPrefix("/") else { return reference }
        return reference.split(separator: "/").last.map(String.init) ?? reference
    }
}
