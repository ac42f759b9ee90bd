import ArgumentParser
import Calibration
import Commands
import EngineModel
import Formats
import Foundation
import Units

/// `tidegate validate`: a profile held against requests that a real engine served.
struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Simulate the requests of a measured run and compare, latency by latency.",
        discussion: """
            DIR holds meta.json (the engine's limits), requests.jsonl (what was measured) and the workload, as
            LLMServingSim's bench writes them. The same arrivals and lengths go through the simulator under the same
            limits.

            With --target URL --scenario S the requests of a scenario are sent to a server and measured first; see
            'tidegate validate PROFILE --target URL --help'.

            EXAMPLES
              tidegate validate profile.json --measured measured_vllm_rtx4090_llama-3.1-8b
              tidegate validate profile.json --measured DIR --json
              tidegate validate profile.json --target http://127.0.0.1:8000 --scenario laptop --for 60s
            """)

    @Argument(help: "The profile.")
    var profile: String
    @Option(help: ArgumentHelp("A folder with a measured run.", valueName: "DIR"))
    var measured: String
    @Flag(help: "Print the comparison as JSON on standard output.")
    var json = false

    func run() throws {
        let console = Console(isQuiet: false)
        let engine = try read(profile, console) { path throws(InvalidInput) in
            try EngineProfileFile.read(path: path)
        }
        let run = try read(measured, console) { path throws(InvalidInput) in try MeasuredRun.read(folder: path) }
        let validation: Validation
        do {
            validation = try Validation(run, profile: engine)
        } catch {
            console.alert("\(measured): error: \(error)")
            throw ExitCode.badData
        }
        for warning in validation.warnings { console.alert("WARNING: outside the profile's range: \(warning)") }
        if json {
            print(try CanonicalJSON.encode(ValidationDocument(validation)), terminator: "")
        } else {
            print(ValidationText.table(validation), terminator: "")
        }
    }

    private func read<Value>(
        _ path: String, _ console: Console, _ body: (String) throws(InvalidInput) -> Value
    ) throws -> Value {
        guard FileManager.default.fileExists(atPath: path) else {
            console.alert("\(path): error: there is no such file or folder")
            throw ExitCode.missingInput
        }
        do throws(InvalidInput) {
            return try body(path)
        } catch {
            console.alert("\(error)")
            throw ExitCode(ofReading: path)
        }
    }
}
