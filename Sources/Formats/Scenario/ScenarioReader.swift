import Simulation

/// Reads scenarios: a YAML file, the engine profiles, price books and traces it names, all checked at once.
///
///     let reading = ScenarioReader.check(path: "Scenarios/chat-day")
///     for diagnostic in reading.diagnostics { print(diagnostic) }
///
/// Every mistake of every file comes out of one reading, each with file, line, column and a fix. The page
/// `Docs/scenario-reference.md` lists each key with its type, default and unit. Files are looked for beside the
/// scenario, then in the folder above it, so that scenarios share `profiles/` and `prices/`.
public enum ScenarioReader {
    /// What a reading gave: a scenario when there was no error, and what is to be told in any case.
    public struct Reading: Sendable {
        /// `nil` exactly when a diagnostic is an error.
        public var scenario: Scenario?
        /// Errors and warnings of all files, in reading order.
        public var diagnostics: [Diagnostic]
    }

    /// Reads the scenario at `path`: a folder that holds `scenario.yaml`, or a YAML file.
    ///
    /// Reads trace files whole, so that a mistake on their last line is told before anything runs.
    ///
    /// - Parameter edits: Changes to single fields, made in order before anything is checked; one that cannot be made
    ///   is an error like any other.
    public static func check(path: String, applying edits: [ScenarioEdit] = []) -> Reading {
        let log = DiagnosticLog()
        let folder = ScenarioFolder(path: path, log: log)
        guard let (written, file) = folder.readScenario() else {
            return Reading(scenario: nil, diagnostics: log.diagnostics)
        }
        let split = ScenarioEdits(edits, root: written)
        let root = file.edited(written, by: split.document.map { ($0.path, $0) })
        let scenario = file.map(root, what: "scenario") { map in
            ScenarioBuilder(map, folder: folder, edits: split).build()
        }
        return Reading(scenario: log.hasErrors ? nil : scenario, diagnostics: log.diagnostics)
    }

    /// The scenario at `path`.
    ///
    /// - Throws: `InvalidInput` with every problem of every file, warnings included.
    public static func read(path: String, applying edits: [ScenarioEdit] = []) throws(InvalidInput) -> Scenario {
        let reading = check(path: path, applying: edits)
        guard let scenario = reading.scenario else { throw InvalidInput(reading.diagnostics) }
        return scenario
    }

    /// Every field that the scenario's files write, with the path that names it: the scenario's own, then those of its
    /// engine profiles, then prices. Nothing is checked; a file that cannot be read gives none.
    public static func fields(path: String) -> [ScenarioField] {
        let folder = ScenarioFolder(path: path, log: DiagnosticLog())
        guard let (root, file) = folder.readScenario() else { return [] }
        func document(_ node: YAMLNode) -> YAMLNode? {
            guard case .scalar(let reference) = node.content else { return nil }
            return folder.yaml(reference, "file", at: node.position, in: file)?.root
        }
        var fields = ScenarioField.all(in: root, under: "")
        for pool in ScenarioField.node(at: "pools", in: root).map(ScenarioField.children) ?? [] {
            guard let profile = ScenarioField.node(at: "profile", in: pool.node).flatMap(document) else { continue }
            fields += ScenarioField.all(in: profile, under: "pools.\(pool.name).profile")
        }
        for book in ScenarioField.node(at: "prices", in: root).map(ScenarioField.children) ?? [] {
            guard let prices = document(book.node).flatMap({ ScenarioField.node(at: "prices", in: $0) }) else {
                continue
            }
            fields += ScenarioField.all(in: prices, under: "prices")
        }
        return fields
    }
}

extension ReadFile {
    /// `root` with the edits made; one that cannot be made is told.
    ///
    /// - Parameter edits: Each with its path inside this file.
    func edited(_ root: YAMLNode, by edits: [(path: String, edit: ScenarioEdit)]) -> YAMLNode {
        var root = root
        for (path, edit) in edits {
            do {
                root = try ScenarioFieldEditor(edit: edit).applied(to: root, at: path)
            } catch {
                self.error(error.position, error.message, fix: error.fix)
            }
        }
        return root
    }
}
