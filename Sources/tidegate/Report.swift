import ArgumentParser
import Commands
import Formats
import Foundation
import Pricing
import Reporting
import Simulation
import Store
import Units

/// `tidegate report`: a live period as the report that a simulation has.
struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a live period into the report, the bill and the tables of a simulation.",
        discussion: """
            Reads what the live plane wrote down: the controller's journal, whose chain is checked, what machines were used \
            for, and the gateway's ledger, which may be written meanwhile. Machines are billed by the scenario's prices, and \
            tenants pay by the tokens they were served, as in a simulation. What nobody measured is left empty, and the \
            report says so.

            A machine's usage is written at each full hour and when the machine is given back: until then it is in no bill. \
            Without --from and --to the period is all that was billed.

            EXAMPLES
              tidegate report tidegate-state/laptop-burst --scenario laptop-burst --output out
              tidegate report --config live.yaml --from 2026-11-01 --to 2026-12-01 --output november
              tidegate rehearse laptop-burst --output out
              tidegate report out --scenario laptop-burst --output out/report --json | jq .cost.total_usd

            EXIT CODES
              0 done   64 wrong usage   65 bad scenario or records   66 missing input, or nothing recorded in the period
              69 the ledger is held by another program   73 cannot write
            """)

    @Argument(help: "The folder of the live plane's state. That of --config without it.")
    var state: String?
    @Option(help: ArgumentHelp("The scenario that was live.", valueName: "SCENARIO"))
    var scenario: String?
    @Option(help: ArgumentHelp("The live configuration, which names scenario and state.", valueName: "FILE"))
    var config: String?
    @Option(help: ArgumentHelp("Where the period begins, UTC, such as 2026-11-01T08:00:00Z.", valueName: "TIME"))
    var from: Instant?
    @Option(help: ArgumentHelp("Where it ends.", valueName: "TIME"))
    var to: Instant?
    @Option(name: .shortAndLong, help: "The folder that receives the report and its tables. Made when missing.")
    var output: String
    @Flag(help: "Print the summary as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws {
        guard (scenario == nil) != (config == nil) else {
            throw ValidationError("give --scenario or --config, one of them: pools, tenants and prices are there")
        }
        guard state != nil || config != nil else {
            throw ValidationError("name the folder of the live plane's state, or a --config that does")
        }
        if let from, let to, from >= to { throw ValidationError("--from \(from) is not before --to \(to)") }
    }

    func run() throws {
        let console = Console(isQuiet: quiet)
        let (scenario, folder) = try inputs(console)
        try console.writing { try AtomicOutput.check(ResultFiles.names, in: output) }
        let content = try console.tellingOfRecords { () throws in try read(folder, of: scenario, console) }
        console.finishProgress()
        let summary = try CanonicalJSON.encode(RunSummary(content.result))
        try ResultFiles.write(content, summary: summary, to: output, console: console)
        print(json ? summary : ResultText.live(content, folder: output), terminator: json ? "" : "\n")
    }

    /// Reads anew when a day's journal was put aside meanwhile: under the name that was read lies the next day's.
    private func read(_ folder: String, of scenario: Scenario, _ console: Console) throws -> ReportContent {
        while true {
            let state = try LiveStateFolder(path: folder)
            var reading = try LiveReading(folder: state, scenario: scenario, from: from, to: to)
            let content = try reading.content(command: command, console: console)
            if try LiveStateFolder(path: folder).journals == state.journals { return content }
        }
    }

    private func inputs(_ console: Console) throws -> (Scenario, folder: String) {
        if let config {
            let reading = LiveConfigurationReader.check(path: config)
            for diagnostic in reading.diagnostics { console.alert("\(diagnostic)") }
            guard let read = reading.configuration else { throw ExitCode(ofReading: config) }
            return (read.scenario, state ?? read.stateFolder)
        }
        let reading = ScenarioReader.check(path: try ScenarioArguments.resolve(scenario!))
        for diagnostic in reading.diagnostics { console.alert("\(diagnostic)") }
        guard let read = reading.scenario else { throw ExitCode.badData }
        return (read, state!)
    }

    /// Names no folder of this machine but by its last part.
    private var command: String {
        func name(_ path: String) -> String { URL(filePath: path).lastPathComponent }
        let words =
            ["tidegate", "report"] + [state.map(name)].compactMap { $0 }
            + (scenario.map { ["--scenario", name($0)] } ?? []) + (config.map { ["--config", name($0)] } ?? [])
            + (from.map { ["--from", "\($0)"] } ?? []) + (to.map { ["--to", "\($0)"] } ?? [])
        return (words + ["--output", "out"]).joined(separator: " ")
    }
}

extension Instant: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension Console {
    /// Reads records of the live plane. What is wrong with them is told, and ends the command.
    fileprivate func tellingOfRecords<Value>(_ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch let error as LiveStateError {
            alert("\(error)")
            throw ExitCode.missingInput
        } catch let error as InputError {
            alert("\(error)")
            throw ExitCode(ofReading: error.file)
        } catch let error as JournalError {
            alert("\(error)")
            throw ExitCode.badData
        } catch let error as StoreError {
            alert("\(error)")
            throw ExitCode(error)
        } catch let error as LiveReadingError {
            alert("\(error)")
            throw error.isAbsence ? ExitCode.missingInput : .badData
        }
    }
}

extension ExitCode {
    fileprivate init(_ error: StoreError) {
        switch error {
        case .cannotOpen: self = .missingInput
        case .locked: self = .unavailable
        case .notADatabase, .newerVersion, .failed: self = .badData
        }
    }
}
