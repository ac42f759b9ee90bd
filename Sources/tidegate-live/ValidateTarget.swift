import ArgumentParser
import Calibration
import Commands
import EngineModel
import Formats
import Foundation
import Live
import Simulation
import Units

/// `tidegate validate PROFILE --target URL`: a profile held against a server, now.
struct Validate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a scenario's requests to a server, simulate the same ones, and compare, latency by latency.",
        discussion: """
            Requests are sent when the scenario has them come, whatever became of the earlier ones. The same arrivals and
            lengths, as the server counted them, then go through the simulator with the profile's step times and its
            scheduler. Latencies count from when a request was sent, on both sides.

            EXAMPLES
              tidegate validate profile.json --target http://127.0.0.1:8000 --scenario laptop --for 60s
              tidegate validate profile.json --target http://127.0.0.1:8000 --scenario laptop --for 60s --json

            EXIT CODES
              0 done   64 wrong usage   65 bad profile or scenario   66 missing input   69 the server is not there, or
              completed nothing   130 stopped by Ctrl-C
            """)

    @Argument(help: "The profile.")
    var profile: String
    @Option(help: ArgumentHelp("The server, such as http://127.0.0.1:8000.", valueName: "URL"))
    var target: String
    @Option(help: "A folder with a scenario.yaml, a YAML file, or the name of a folder under Scenarios/.")
    var scenario: String
    @OptionGroup(title: "Which traffic") var selection: SelectionArguments
    @OptionGroup(title: "How it is sent") var sending: SendingArguments
    @Option(help: "Sequences that run at a time, in place of what the profile says; 256 where neither does.")
    var maxNumSeqs: Int?
    @Option(help: "Tokens computed in a step, in place of what the profile says; 2048 where neither does.")
    var maxNumBatchedTokens: Int?
    @Flag(
        help: "The engine plans a step while the one before runs, as vLLM does since 0.14; the profile may say so too.")
    var asyncScheduling = false
    @Flag(help: "Print the comparison as JSON on standard output.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let progress = LoadProgress(isQuiet: quiet)
        guard FileManager.default.fileExists(atPath: profile) else {
            progress.alert("\(profile): error: there is no such file")
            throw ExitCode.missingInput
        }
        let engine = try progress.telling { try EngineProfileFile.read(path: profile) }
        let played = try progress.telling { try ScenarioFile.read(scenario) }
        let load = try LoadSetup(played, target: target, selection, sending)
        let (run, result) = try await load.play(progress) {
            $0.keepsRequests = true
            $0.limits.reusesConnections = false
        }
        guard result.stoppedAt == nil else { throw ExitCode.interrupted }
        let answers = try progress.telling { try result.timedAnswers(of: load.server) }
        guard answers.contains(where: { $0.outputTokens > 1 }) else {
            progress.alert(
                "\(load.server): error: it completed no request of two tokens or more: nothing can be compared")
            throw ExitCode.unavailable
        }
        var measured = MeasuredRun(
            engine: scheduler(of: engine), answers: answers,
            name: "\(load.server), scenario \(load.traffic.name)")
        measured.assumptions = assumptions(engine, played, model: run.style.model)
        if result.tally.offered > answers.count {
            progress.alert(
                "WARNING: \(result.tally.offered - answers.count) of \(result.tally.offered) requests did not complete: "
                    + "the simulation is without them")
        }
        if let warning = result.tally.cacheWarning { progress.alert("WARNING: \(warning)") }
        try report(measured, engine, progress)
    }

    private func report(_ measured: MeasuredRun, _ engine: EngineProfile, _ progress: LoadProgress) throws {
        let validation: Validation
        do {
            validation = try Validation(measured, profile: engine)
        } catch {
            progress.alert("\(profile): error: \(error)")
            throw ExitCode.badData
        }
        for warning in validation.warnings { progress.alert("WARNING: outside the profile's range: \(warning)") }
        let text =
            json ? try CanonicalJSON.encode(ValidationDocument(validation)) : ValidationText.table(validation)
        print(text, terminator: "")
    }

    /// The scheduler that is simulated.
    private func scheduler(of engine: EngineProfile) -> MeasuredRun.Engine {
        let tokens = maxNumBatchedTokens ?? engine.scheduler.map { Int($0.maxNumBatchedTokens) } ?? 2048
        return MeasuredRun.Engine(
            model: engine.model, vllmVersion: engine.engine, device: engine.hardware,
            maxSequences: min(maxNumSeqs ?? engine.scheduler.map { Int($0.maxNumSeqs) } ?? 256, tokens),
            maxBatchedTokens: tokens, maxContext: nil, blockSize: 16, kvBlocks: nil, prefixCaching: false,
            asyncScheduling: asyncScheduling || engine.scheduler?.asyncScheduling == true,
            tensorParallel: engine.acceleratorsPerReplica, dataParallel: 1,
            expertParallel: false)
    }

    private func assumptions(_ engine: EngineProfile, _ played: Scenario, model: String) -> [String] {
        var sentences: [String] = []
        if engine.scheduler == nil, maxNumSeqs == nil || maxNumBatchedTokens == nil {
            sentences.append(
                "The profile does not say its scheduler: 256 sequences and 2048 tokens a step, but for what was given.")
        }
        if engine.requestOverhead == nil {
            sentences.append("The profile does not say what a request takes beside its steps: nothing is added.")
        }
        if !engine.model.hasPrefix(model) {
            sentences.append("The server calls its model '\(model)', the profile is of '\(engine.model)'.")
        }
        if played.sources.contains(where: { $0.sharedPrefix != nil || $0.sessions != nil }) {
            sentences.append("Prompts share prefixes, and the simulation computes each whole.")
        }
        return sentences
    }
}
