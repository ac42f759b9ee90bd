import ArgumentParser
import Commands
import Formats
import Foundation
import Live
import NIOPosix
import Scaling
import Simulation
import Units

/// `tidegate rehearse`: the same arrivals in real time and in simulation, side by side.
struct Rehearse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play a scenario in real time on this machine and in simulation, and lay the two side by side.",
        discussion: """
            Starts a gateway, a controller and the pools of worker processes, sends them the scenario's arrivals in real time,
            lets the controller resize the pools by the scenario's policy, and bills the machines. Then the simulator plays
            the same arrivals twice: with the live run's resizes (does the simulated fleet serve as the real one did?) and
            left to itself (does its controller resize as the real one did?).

            The worlds agree when TTFT and ITL are within 3 % in the mean (8 % with --executor core) and 10 % at p99, the
            bill within 1 %, and every resize of a pool is the same, in the same order, within one tick.

            EXAMPLES
              tidegate rehearse laptop-burst --for 2m
              tidegate rehearse laptop-burst --output out
              tidegate rehearse laptop-burst --step-factor 1.1          # workers 10 % slower than believed: must be flagged
              tidegate rehearse laptop --executor core --model demo-15m --for 3m --policy static

            EXIT CODES
              0 both worlds agree   64 wrong usage   65 bad scenario or policy   66 missing input   69 a part could not be
              started   73 cannot write   75 they do not agree   130 stopped by Ctrl-C
            """)

    @OptionGroup var fleet: FleetArguments
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("How long to play, such as 5m. The scenario's duration without it.", valueName: "TIME"))
    var duration: String?
    @Option(help: "Multiplies the step times of the live workers alone: what a wrong profile looks like.")
    var stepFactor = 1.0
    @Option(
        name: .shortAndLong,
        help: "A folder for rehearsal.json, journal.jsonl, requests.csv, and the workers' logs. Made when missing.")
    var output: String?
    @Flag(help: "Print the result as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws {
        if let duration, (TimeSpan(duration) ?? .zero) <= .zero {
            throw ValidationError("--for '\(duration)' is no duration: write it with a unit, such as 5m")
        }
        guard stepFactor >= 0.01, stepFactor <= 100 else {
            throw ValidationError("--step-factor is \(stepFactor), not 0.01 to 100")
        }
        if stepFactor != 1, fleet.executor == .core {
            throw ValidationError("--step-factor is for emulated workers: a real model takes its own time")
        }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let progress = LoadProgress(isQuiet: quiet)
        var scenario = try progress.telling { try fleet.read() }
        guard scenario.pools.count == 1 || fleet.executor == .emulated else {
            let names = scenario.pools.map(\.id.name).joined(separator: ", ")
            throw ValidationError(
                "--executor core computes one model, so it plays one pool: choose with --pool: \(names)")
        }
        if let span = duration.flatMap({ TimeSpan($0) }) {
            if span > scenario.duration { progress.say("the scenario's traffic ends after \(scenario.duration)") }
            scenario.duration = min(span, scenario.duration)
        }
        let choice = try progress.telling { try fleet.choice(in: scenario) }
        let folder = try progress.telling { try stateFolder() }
        defer { if output == nil { try? FileManager.default.removeItem(atPath: folder) } }
        var options = LocalFleet.Options(
            program: FleetArguments.program, folder: folder,
            origin: "tidegate rehearse \(scenario.name) --policy \(choice.label) --for \(scenario.duration)")
        (options.executor, options.stepFactor, options.version) = (fleet.workers, stepFactor, Version.current)
        // What is kept of a rehearsal is one file, though midnight comes.
        options.hasDailyJournals = false
        var rehearsal = RehearsalRun(scenario: scenario, policy: choice, options: options)
        if fleet.executor == .core { rehearsal.meanTolerance = 0.08 }
        rehearsal.goesOn = { !Interrupt.isRaised }
        rehearsal.requestsPath = output.map { "\($0)/requests.csv" }

        Interrupt.catchFirst(SIGINT, SIGTERM)
        let result = try await play(rehearsal, progress)
        let file = try PolicyFile(scenario.policy(choice))
        let report = RehearsalReport(
            result, scenario: scenario.name, policy: choice.label, policyDigest: file.digest,
            duration: scenario.duration)
        let text = try CanonicalJSON.encode(report)
        if let output {
            try progress.telling { try keep(text, from: folder, in: output) }
        }
        print(json ? text : RehearsalText.text(result, report), terminator: json ? "" : "\n")
        if let output, !json { print("journal: \(output)/journal.jsonl, requests: \(output)/requests.csv") }
        guard report.verdicts.plant, report.verdicts.control else { throw ExitCode.notReached }
    }

    private func play(_ rehearsal: RehearsalRun, _ progress: LoadProgress) async throws -> Rehearsal {
        let loadGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        progress.say("starting \(rehearsal.scenario.pools.reduce(0) { $0 + $1.initialReplicas }) workers")
        let duration = rehearsal.scenario.duration
        do {
            let result = try await rehearsal.play(loadOn: loadGroup, group: group) { standing in
                progress.show(standing, of: duration)
                return !Interrupt.isRaised
            }
            progress.finish()
            try await loadGroup.shutdownGracefully()
            try await group.shutdownGracefully()
            return result
        } catch is CancellationError {
            progress.alert("stopped: there is no result")
            throw ExitCode.interrupted
        } catch {
            throw ended(by: error, telling: progress.alert)
        }
    }

    /// Where the fleet's state goes: beside the result, or into a folder that is thrown away.
    private func stateFolder() throws -> String {
        let name = "tidegate-rehearsal-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        guard let output else { return FileManager.default.temporaryDirectory.appending(path: name).path }
        try AtomicOutput.check(["rehearsal.json", "journal.jsonl", "requests.csv"], in: output)
        // What an earlier rehearsal left is not this one's.
        let folder = "\(output)/state"
        if FileManager.default.fileExists(atPath: folder) { try FileManager.default.removeItem(atPath: folder) }
        return folder
    }

    private func keep(_ report: String, from folder: String, in output: String) throws {
        let journal = try String(contentsOfFile: "\(folder)/journal.jsonl", encoding: .utf8)
        try AtomicOutput.write([("rehearsal.json", report), ("journal.jsonl", journal)], to: output)
    }
}
