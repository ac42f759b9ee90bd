import ArgumentParser
import Foundation

/// What `replay` and `compare` share: where results go, how many runs, what is printed.
struct StudyArguments: ParsableArguments {
    @Option(name: .shortAndLong, help: "The folder that receives the report and its tables. Made when missing.")
    var output: String
    @Option(help: "In place of the scenario's seed.")
    var seed: UInt64?
    @Option(help: "Independent draws of the traffic; from 2 on, estimates have 95 % intervals.")
    var replications = 1
    @Option(help: "Runs at a time; as many as there are processors without it. Results do not depend on it.")
    var workers = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the summary as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false
    @Option(
        help: ArgumentHelp(
            "The SQLite file that remembers runs. Without it: $TIDEGATE_STORE, else runs.sqlite in the user's data folder.",
            valueName: "FILE"))
    var store: String?
    @Flag(name: .customLong("no-store"), help: "Do not record the run.")
    var skipsStore = false

    func validate() throws {
        guard replications >= 1 else { throw ValidationError("--replications must be at least 1") }
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1") }
    }

    /// Where runs are recorded; `nil` when they are not.
    var storePath: String? {
        if skipsStore { return nil }
        let environment = ProcessInfo.processInfo.environment
        if let path = store ?? environment["TIDEGATE_STORE"] { return path }
        if let data = environment["XDG_DATA_HOME"], !data.isEmpty { return "\(data)/tidegate/runs.sqlite" }
        return "\(environment["HOME"] ?? ".")/.local/share/tidegate/runs.sqlite"
    }
}
