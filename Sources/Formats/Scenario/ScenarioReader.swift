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
    public static func check(path: String) -> Reading {
        let log = DiagnosticLog()
        let folder = ScenarioFolder(path: path, log: log)
        guard let (root, file) = folder.readScenario() else {
            return Reading(scenario: nil, diagnostics: log.diagnostics)
        }
        let scenario = file.map(root, what: "scenario") { map in
            ScenarioBuilder(map, folder: folder).build()
        }
        return Reading(scenario: log.hasErrors ? nil : scenario, diagnostics: log.diagnostics)
    }

    /// The scenario at `path`.
    ///
    /// - Throws: `InvalidInput` with every problem of every file, warnings included.
    public static func read(path: String) throws(InvalidInput) -> Scenario {
        let reading = check(path: path)
        guard let scenario = reading.scenario else { throw InvalidInput(reading.diagnostics) }
        return scenario
    }
}
