import ArgumentParser
import Commands
import Formats
import Foundation
import Live
import NIOPosix
import Simulation
import Units

/// `tidegate up`: a scenario as a working system on this machine.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a scenario's fleet on this machine: gateway, controller and worker processes, on loopback.",
        discussion: """
            Starts the scenario's pools as worker processes, emulated ones by default, a gateway in front of them, and a
            controller with the scenario's policy. The controller only watches, and journals what it would do, unless
            --active. Send it traffic with 'tidegate load SCENARIO --target URL'. Ctrl-C ends everything.

            EXAMPLES
              tidegate up laptop-burst --active
              tidegate up laptop-burst --policy out/policy.json --active --for 10m
              tidegate up laptop --executor core --model demo-15m
              tidegate load laptop-burst --target http://127.0.0.1:8080 --for 2m

            EXIT CODES
              0 ended   64 wrong usage   65 bad scenario, policy or state   66 missing input   69 a part could not be started,
              such as on a port that is taken   73 cannot write   130 stopped while it started
            """)

    @OptionGroup var fleet: FleetArguments
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("How long to run, such as 5m. Until Ctrl-C without it.", valueName: "TIME"))
    var duration: String?
    @Flag(help: "Let the controller act; without it, it only watches.")
    var active = false
    @Option(help: "The gateway's port; 0 for any free one.")
    var port = 8080
    @Option(help: "The port of the controller's status page; 0 for any free one.")
    var statusPort = 8082
    @Option(
        help: ArgumentHelp(
            "An OpenTelemetry collector to send the spans of all requests to, such as http://127.0.0.1:4318.",
            valueName: "URL"))
    var traces: String?
    @Option(help: ArgumentHelp("Where journal, ledger and logs go.", valueName: "DIR"))
    var state: String?
    @Flag(help: "Print what happens as JSON, one object a line, on standard output.")
    var json = false

    func validate() throws {
        if let duration, (TimeSpan(duration) ?? .zero) <= .zero {
            throw ValidationError("--for '\(duration)' is no duration: write it with a unit, such as 5m")
        }
        _ = try traces.map(TraceArguments.collector)
        for (name, port) in [("--port", port), ("--status-port", statusPort)] {
            guard (0...65_535).contains(port) else { throw ValidationError("\(name) is \(port), not 0 to 65535") }
        }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let output = EventOutput(isJSON: json)
        let progress = LoadProgress(isQuiet: json)
        let scenario = try progress.telling { try fleet.read() }
        let choice = try progress.telling { try fleet.choice(in: scenario) }
        var options = LocalFleet.Options(
            program: FleetArguments.program, folder: state ?? "tidegate-state/\(scenario.name)",
            origin: "tidegate up \(scenario.name) --policy \(choice.label)")
        (options.executor, options.isActive, options.version) = (fleet.workers, active, Version.current)
        options.listen.port = port
        options.traces = try traces.map { TraceExport(collector: try TraceArguments.collector($0), share: 1) }
        options.status = ListenAddress(host: "127.0.0.1", port: statusPort)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let policy = try progress.telling { try scenario.policy(choice) }
        let local = LocalFleet(scenario, policy: policy, options: options, group: group)
        Interrupt.catchFirst(SIGINT, SIGTERM)
        let limit = duration.flatMap { TimeSpan($0) }
        try await progress.tellingAll {
            try await local.run { [options] running in
                try await running.ready(within: .seconds(120)) { !Interrupt.isRaised }
                await running.controller.start(at: running.clock.now)
                let isPaused = await running.controller.status.role == .paused
                output.tell(
                    "serving",
                    [
                        "url": running.url, "admin_url": running.adminURL, "status_url": running.statusURL ?? "",
                        "state": options.folder, "active": active,
                    ],
                    text:
                        "serving on \(running.url); status on \(running.statusURL ?? ""); admin and metrics on "
                        + "\(running.adminURL); state in \(options.folder); the controller "
                        + (!active
                            ? "only watches (--active lets it act)"
                            : isPaused ? "was paused before: 'tidegate control resume' lets it act" : "acts"))
                await Self.watch(running, for: limit, output: output)
            }
        }
        try await group.shutdownGracefully()
    }

    /// Tells of every decision until the time is over or the user has had enough.
    private static func watch(_ running: LocalFleet.Running, for limit: TimeSpan?, output: EventOutput) async {
        let end = limit.map { running.clock.now + $0 } ?? .never
        var told = 0
        while !Interrupt.isRaised, running.clock.now < end, !Task.isCancelled {
            let status = await running.controller.status
            for record in status.decisions.reversed() where record.sequence > told {
                told = record.sequence
                for target in record.targets {
                    let withheld = record.context?.withheld.map { " (\($0.rawValue): not done)" } ?? ""
                    output.tell(
                        "resize",
                        ["pool": target.pool.name, "replicas": target.replicas, "reason": target.reason],
                        text: "\(record.time)  \(target.pool) → \(target.replicas)\(withheld): \(target.reason)")
                }
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}
