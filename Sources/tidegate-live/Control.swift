import ArgumentParser
import Commands
import Formats
import Foundation
import Live
import Logging
import NIOPosix
import Scaling
import Simulation
import Units

/// `tidegate control`: the controller, and an operator's verbs.
struct Control: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the controller that resizes pools by a policy, or ask and command a running one.",
        subcommands: [
            ControlRun.self, ControlStatus.self, ControlPause.self, ControlResume.self, ControlExplain.self,
            ControlDrain.self,
        ], defaultSubcommand: ControlRun.self)
}

/// `tidegate control run`, or `tidegate control` without a verb.
struct ControlRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the controller: it only watches, unless --active.",
        discussion: """
            Scrapes the replicas and the gateway, decides by the policy once a tick, writes each decision to
            'journal.jsonl' in the state's folder, and then resizes the pools. One controller leads; others with the same
            state stand by. When it dies, workers go on serving, and the next one goes on where the journal ends.

            SIGTERM or SIGINT ends the controller alone; workers stay. Docs/control.md has the configuration.

            EXAMPLES
              tidegate control --config live.yaml
              tidegate control --config live.yaml --policy out/policy.json --active
              tidegate control status
              tidegate control explain 42
              tidegate control drain chat/3 --token-file operator.token

            EXIT CODES
              0 ended by a signal   64 wrong usage   65 bad configuration, policy or journal   66 missing input
              69 an address is taken   73 the state's folder cannot be written
            """)

    @Option(help: ArgumentHelp("The live configuration.", valueName: "FILE"))
    var config: String
    @Option(
        help: ArgumentHelp(
            "The policy, as 'replay' or 'compare' wrote it. The first of the scenario without it.",
            valueName: "policy.json"))
    var policy: String?
    @Flag(help: "Let it act. Without it, and with --shadow, it decides and journals, and changes nothing.")
    var active = false
    @Flag(help: "Only watch.")
    var shadow = false
    @Flag(help: "Print what happens as JSON, one object a line, on standard output.")
    var json = false

    func validate() throws {
        if active, shadow { throw ValidationError("give --active or --shadow, not both") }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let output = EventOutput(isJSON: json)
        let reading = LiveConfigurationReader.check(path: config)
        for diagnostic in reading.diagnostics { output.alert("\(diagnostic)") }
        guard let read = reading.configuration else { throw ExitCode(ofReading: config) }
        let made = try made(policy: read, output)
        Interrupt.catchFirst(SIGINT, SIGTERM)
        do { try await serve(read, policy: made, output) } catch { throw ended(by: error, telling: output.alert) }
    }

    private func made(policy configuration: LiveConfiguration, _ output: EventOutput) throws -> any ScalingPolicy {
        let scenario = configuration.scenario
        do {
            guard let path = policy else { return try scenario.policy(scenario.policies[0]) }
            return try PolicyCatalog.checkedPolicy(from: try PolicyFileReader.read(path: path))
        } catch {
            throw ended(by: error) { output.alert(error is PolicyErrors && policy != nil ? "\(policy!): \($0)" : $0) }
        }
    }

    private func serve(
        _ configuration: LiveConfiguration, policy: any ScalingPolicy, _ output: EventOutput
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let service = try ControllerService(
            configuration, policy: policy, isActive: active, program: FleetArguments.program,
            origin: "tidegate control --config \((config as NSString).lastPathComponent)", version: Version.current,
            group: group, onLeadership: { tell($0, output) })
        try await service.run(
            until: { Interrupt.isRaised },
            onListening: { url in
                output.tell(
                    "controlling", ["url": url, "active": active],
                    text: "status on \(url); the controller \(active ? "acts" : "only watches (--active lets it act)")")
            })
        output.tell("ended", text: "ended; workers go on")
        try await group.shutdownGracefully()
    }

    private func tell(_ leadership: Controller.Leadership, _ output: EventOutput) {
        switch leadership {
        case .leads(let epoch): output.tell("leading", ["epoch": epoch], text: "leads in epoch \(epoch)")
        case .standsBy(let leader):
            output.tell(
                "standby", ["leader": leader ?? ""],
                text: "stands by: another controller leads\(leader.map { ", " + $0 } ?? "")")
        case .lost(let reason):
            output.tell("lost", ["reason": reason], text: "leadership lost: \(reason); it does nothing any more")
        }
    }
}

/// Which controller a verb goes to.
struct ControllerArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The controller.", valueName: "URL"))
    var controller = "http://127.0.0.1:8082"
    @Option(
        help: ArgumentHelp(
            "A file with the token of a role that may do this. Without it the variable TIDEGATE_TOKEN, where it is set.",
            valueName: "FILE"))
    var tokenFile: String?

    /// Calls the controller.
    ///
    /// - Throws: The exit code for an answer that is none of success; what it said is printed.
    func call(_ method: String, _ path: String) async throws -> String {
        let token: String?
        if let tokenFile {
            guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
                EventOutput(isJSON: false).alert("\(tokenFile): error: cannot be read")
                throw ExitCode.missingInput
            }
            token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        } else {
            token = ProcessInfo.processInfo.environment["TIDEGATE_TOKEN"]
        }
        do {
            let answer = try await ControllerCall(url: controller, token: token).send(method, path)
            guard answer.status == 200 else {
                EventOutput(isJSON: false).alert("\(controller): error: \(answer.status): \(answer.message)")
                throw ExitCode.unavailable
            }
            return answer.body
        } catch let error as LoadError {
            EventOutput(isJSON: false).alert("\(controller): error: \(error)")
            throw ExitCode.unavailable
        }
    }
}

struct ControlStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Print how the controller and its pools stand, as JSON.")
    @OptionGroup var target: ControllerArguments

    func run() async throws { print(try await target.call("GET", "/v1/status"), terminator: "") }
}

struct ControlPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Let the controller decide and journal, and change nothing, until 'resume'.")
    @OptionGroup var target: ControllerArguments

    func run() async throws { print(try await target.call("POST", "/v1/pause")) }
}

struct ControlResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a paused controller act again.")
    @OptionGroup var target: ControllerArguments

    func run() async throws { print(try await target.call("POST", "/v1/resume")) }
}

struct ControlExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Print the journal's record of a decision: what was seen, decided and held back.")
    @Argument(help: "The decision's number.") var decision: Int
    @OptionGroup var target: ControllerArguments

    func run() async throws { print(try await target.call("GET", "/v1/decisions/\(decision)")) }
}

struct ControlDrain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Have one replica finish what it runs and go; another takes its place.")
    @Argument(help: "Pool and number, such as chat/3.") var replica: String
    @OptionGroup var target: ControllerArguments

    func validate() throws {
        let parts = replica.split(separator: "/")
        guard parts.count == 2, Int(parts[1].drop { $0 == "r" }) != nil else {
            throw ValidationError("'\(replica)' names no replica: write pool and number, such as chat/3")
        }
    }

    func run() async throws {
        let parts = replica.split(separator: "/")
        let pool = String(parts[0]).addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        print(try await target.call("POST", "/v1/pools/\(pool)/replicas/\(parts[1].drop { $0 == "r" })/drain"))
    }
}
