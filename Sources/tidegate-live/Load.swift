import ArgumentParser
import Commands
import Formats
import Foundation
import Live
import Simulation
import Units

/// `tidegate load`: a scenario's traffic, sent to a server.
struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a scenario's traffic to an OpenAI-compatible server and measure the answers.",
        discussion: """
            Open loop: each request is sent when the scenario has it come, whatever became of the earlier ones, so a slow
            server cannot slow down its own load. Latencies count from when a request was due, and, apart, from when it
            was sent. Tokens are the server's own count.

            Prompts have the scenario's lengths, and share the prefixes and conversations that it shares. They are token
            ids where the server takes them. Tenants go along as 'user', priorities as 'X-Priority'.

            EXAMPLES
              tidegate load laptop --target http://127.0.0.1:8000 --for 60s
              tidegate load chat-day --target http://127.0.0.1:8000 --from 9h --for 5m --output out
              tidegate load bench-100k --target http://127.0.0.1:8000 --speed 0.1 --for 1m --api chat --json
              tidegate load laptop --target http://10.0.0.7:8000/v1 --header "Authorization: Bearer $KEY"

            EXIT CODES
              0 done   64 wrong usage   65 bad scenario   66 missing input   69 the server is not there, refuses the kind of
              request, or completed none   73 cannot write   130 stopped by Ctrl-C; the result until then is written,
              marked as partial
            """)

    @Argument(help: "A folder with a scenario.yaml, a YAML file, or the name of a folder under Scenarios/.")
    var scenario: String
    @Option(help: ArgumentHelp("The server, such as http://127.0.0.1:8000.", valueName: "URL"))
    var target: String
    @OptionGroup(title: "Which traffic") var selection: SelectionArguments
    @OptionGroup(title: "How it is sent") var sending: SendingArguments
    @Option(name: .shortAndLong, help: "A folder for requests.csv and summary.json. Made when missing.")
    var output: String?
    @Flag(help: "Print the summary as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let progress = LoadProgress(isQuiet: quiet)
        let played = try progress.telling { try ScenarioFile.read(scenario) }
        let load = try LoadSetup(played, target: target, selection, sending)
        if let asked = selection.limit, asked > load.traffic.duration {
            progress.say("the scenario's traffic ends after \(load.traffic.duration), not \(asked)")
        }
        if let output { try progress.telling { try AtomicOutput.check(["requests.csv", "summary.json"], in: output) } }
        let (run, result) = try await load.play(progress) { run in
            run.requestsPath = output.map { "\($0)/requests.csv" }
        }
        try report(LoadSummary(result, of: run, version: Version.current), progress)
    }

    private func report(_ summary: LoadSummary, _ progress: LoadProgress) throws {
        let text = try CanonicalJSON.encode(summary)
        if let output { try progress.telling { try AtomicOutput.write([("summary.json", text)], to: output) } }
        print(json ? text : LoadText.text(summary, folder: output), terminator: json ? "" : "\n")
        if summary.partial != nil { throw ExitCode.interrupted }
        if summary.requests.completed == 0 { throw ExitCode.unavailable }
    }
}

/// Which part of the scenario's traffic is sent.
struct SelectionArguments: ParsableArguments {
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("How long to send, such as 60s. To the scenario's end without it.", valueName: "TIME"))
    var duration: String?
    @Option(help: ArgumentHelp("Where in the scenario to begin, such as 9h.", valueName: "TIME"))
    var from = "0s"
    @Option(help: "How many times as fast the scenario's time passes: at 2 its rate is doubled, at 0.5 halved.")
    var speed = 1.0
    @Option(help: "Only the traffic of this pool.")
    var pool: String?

    func validate() throws {
        guard let from = TimeSpan(from), from >= .zero else { throw Self.problem("--from", self.from) }
        if let duration, (TimeSpan(duration) ?? .zero) <= .zero { throw Self.problem("--for", duration) }
        guard speed >= 1e-6, speed <= 1e6 else {
            throw ValidationError("--speed is \(speed), not 0.000001 to 1000000")
        }
    }

    private static func problem(_ name: String, _ text: String) -> ValidationError {
        ValidationError("\(name) '\(text)' is no duration: write it with a unit, such as 60s or 1m30s")
    }

    /// How long was asked for; `nil` for all there is.
    var limit: TimeSpan? { duration.flatMap { TimeSpan($0) } }

    func traffic(of scenario: Scenario) throws(LoadError) -> LoadTraffic {
        try LoadTraffic(
            scenario, pool: pool, from: TimeSpan(from)!, for: limit, speed: speed)
    }
}

/// How requests are put to the server.
struct SendingArguments: ParsableArguments {
    @Option(help: "The model's name at the server. The only one it has without it.")
    var model: String?
    @Option(help: "completions or chat.")
    var api = RequestStyle.API.completions
    @Option(help: "token-ids, small-token-ids or text. By default the first that the server takes.")
    var prompts: RequestStyle.Prompts?
    @Flag(inversion: .prefixedNo, help: "Ask for the scenario's output lengths to the token, by vLLM's 'ignore_eos'.")
    var ignoreEos = true
    @Flag(help: "Write priorities into the body too, as vLLM reads them.")
    var priorityField = false
    @Option(help: ArgumentHelp("One more field of each request's head. May be repeated.", valueName: "NAME: VALUE"))
    var header: [String] = []
    @Option(
        help: "Connections at a time, by default what the system allows; a request that would need more is not sent.")
    var maxConnections: Int?
    @Option(help: "How long to wait for the last token, in place of what the scenario's classes say.")
    var timeout: String?
    @Option(help: "How long to wait for answers after the last request was due.")
    var drain = "60s"
    @Flag(help: "Let the sending thread take its turn. By default it runs before others, where the system allows that.")
    var ordinaryPriority = false

    func validate() throws {
        if api == .chat, let prompts, prompts != .text {
            throw ValidationError("--api chat takes no --prompts \(prompts.rawValue)")
        }
        if let count = maxConnections, count < 1 { throw ValidationError("--max-connections must be at least 1") }
        if let timeout, (TimeSpan(timeout) ?? .zero) <= .zero {
            throw ValidationError("--timeout '\(timeout)' is no duration: write it with a unit, such as 30s")
        }
        guard TimeSpan(drain) != nil else {
            throw ValidationError("--drain '\(drain)' is no duration: write it with a unit, such as 60s")
        }
        _ = try style()
    }

    /// What is asked for; no model where the server is to say it.
    func style() throws -> RequestStyle {
        var style = RequestStyle(model: model ?? "")
        style.api = api
        style.ignoresEnd = ignoreEos
        style.writesPriority = priorityField
        style.fields = try HeaderField.fields(header)
        return style
    }

    func limits(_ traffic: LoadTraffic) throws(LoadError) -> LoadLimits {
        let room = DescriptorLimit.raise() - DescriptorLimit.reserve
        if let maxConnections, maxConnections > room {
            throw LoadError(
                "--max-connections \(maxConnections) is more than the \(room) that the system's limit of open files "
                    + "leaves; raise it with ulimit -n")
        }
        let timeout = timeout.flatMap { TimeSpan($0) }
        return LoadLimits(
            connections: maxConnections ?? max(1, room), timeouts: traffic.classes.map { timeout ?? $0.timeout },
            drain: TimeSpan(drain)!)
    }
}

extension RequestStyle.API: ExpressibleByArgument {}
extension RequestStyle.Prompts: ExpressibleByArgument {}

/// Finds and reads scenarios.
enum ScenarioFile {
    /// - Throws: `InvalidInput` with every mistake, or the exit code for a scenario that is not there.
    static func read(_ name: String) throws -> Scenario {
        let places = [name, "Scenarios/\(name)"]
        guard let path = places.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw MissingScenario(description: "\(name): error: there is no such scenario, here or under Scenarios/")
        }
        return try ScenarioReader.read(path: path)
    }

    struct MissingScenario: Error, CustomStringConvertible { var description: String }
}
