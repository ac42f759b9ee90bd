import ArgumentParser
import Commands
import Formats
import Foundation
import Live
import Units

/// `tidegate gateway`: an OpenAI-compatible front for pools of workers, from a live configuration.
struct Gateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve pools of workers behind one OpenAI-compatible API.",
        discussion: """
            Clients come to the address 'listen' with a tenant's key; a controller names replicas, operators look and cap,
            and Prometheus scrapes at the address 'admin'. Routing and admission are the simulator's. Each request taken has
            a row in 'ledger.sqlite', which is on the disk before the answer ends. Docs/gateway.md has the configuration and
            both interfaces.

            SIGTERM or SIGINT drains: new requests are refused and those that run finish. A second one ends at once.

            EXAMPLES
              tidegate gateway --config live.yaml
              tidegate gateway --config live.yaml --check
              tidegate gateway --config live.yaml --port 0 --admin-port 0 --json
              curl -X PUT http://127.0.0.1:8081/admin/v1/pools/chat/replicas \\
                -d '{"epoch": 1, "replicas": [{"id": 1, "url": "http://127.0.0.1:8000"}]}'

            EXIT CODES
              0 drained   64 wrong usage   65 bad configuration or scenario   66 missing input   69 an address is taken, or
              the state's folder cannot be used   75 the drain's deadline cut answers   130, 143 ended by a second signal
            """)

    @Option(help: ArgumentHelp("The live configuration.", valueName: "FILE"))
    var config: String
    @Option(help: "The port for clients, in place of the configuration's; 0 for any free one.")
    var port: Int?
    @Option(help: "The admin port, likewise.")
    var adminPort: Int?
    @Option(help: "How long a drain may take, such as 30s; what still runs then is cut.")
    var drainDeadline = "30s"
    @Flag(help: "Only read the configuration and tell what is wrong with it.")
    var check = false
    @Flag(help: "Print what happens as JSON, one object a line, on standard output. The log is on standard error.")
    var json = false

    func validate() throws {
        for (name, port) in [("--port", port), ("--admin-port", adminPort)] {
            guard (0...65_535).contains(port ?? 0) else { throw ValidationError("\(name) is \(port!), not 0 to 65535") }
        }
        _ = try deadline()
    }

    private func deadline() throws -> TimeSpan {
        guard let span = TimeSpan(drainDeadline) else {
            throw ValidationError(
                "--drain-deadline '\(drainDeadline)' is no duration: write it with a unit, such as 30s")
        }
        return span
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        _ = DescriptorLimit.raise()
        let output = EventOutput(isJSON: json)
        let reading = LiveConfigurationReader.check(path: config)
        for diagnostic in reading.diagnostics { output.alert("\(diagnostic)") }
        guard let read = reading.configuration else { throw ExitCode(ofReading: config) }
        if check { return output.tell("checked", text: "\(config): nothing is wrong") }
        var configuration = GatewayConfiguration(read)
        if let port { configuration.settings.listen.port = port }
        if let adminPort { configuration.settings.admin.port = adminPort }
        configuration.version = Version.current
        throw try await GatewayProcess(configuration, drainDeadline: deadline(), output: output).run()
    }
}

/// A gateway as a process: it serves until a signal drains it, and ends with an exit code.
struct GatewayProcess {
    private let configuration: GatewayConfiguration
    private let drainDeadline: TimeSpan
    private let output: EventOutput

    init(_ configuration: GatewayConfiguration, drainDeadline: TimeSpan, output: EventOutput) {
        (self.configuration, self.drainDeadline, self.output) = (configuration, drainDeadline, output)
    }

    /// Serves until it is told to stop.
    ///
    /// - Returns: What the shell is told.
    func run() async throws -> ExitCode {
        let (codes, ended) = AsyncStream<ExitCode>.makeStream()
        do {
            let (listen, admin) = (configuration.settings.listen, configuration.settings.admin)
            let server = try GatewayServer(configuration: configuration) { [output] ports in
                let url = "http://\(Self.authority(listen.host)):\(ports.port)"
                let adminURL = "http://\(Self.authority(admin.host)):\(ports.adminPort)"
                output.tell(
                    "listening",
                    ["url": url, "port": ports.port, "admin_url": adminURL, "admin_port": ports.adminPort],
                    text: "clients come to \(url)/v1, admin is \(adminURL)")
            }
            let helper = Task { await output.drainOnSignal(within: drainDeadline, ended) { await drain(server) } }
            defer { helper.cancel() }
            try await server.run()
        } catch let error as GatewayStartError {
            output.alert("\(error)")
            return .unavailable
        }
        // Only a drain ends the server.
        return await codes.first { _ in true } ?? .success
    }

    private static func authority(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    private func drain(_ server: GatewayServer) async -> ExitCode {
        switch await server.drain(within: drainDeadline) {
        case .finished:
            output.tell("drained", ["cut": 0], text: "drained")
            return .success
        case .cut(let count):
            output.tell("drained", ["cut": count], text: "the deadline came: \(count) answers were cut")
            return .notReached
        }
    }
}
