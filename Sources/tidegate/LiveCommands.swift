import ArgumentParser
import Commands
import Foundation

/// `tidegate worker`: handed to the executable of the live plane, which has the network's libraries.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Serve a model over an OpenAI-compatible API, computed or emulated.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate worker --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["worker"] + arguments) }
}

/// `tidegate load`: handed over likewise.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Send a scenario's traffic to an OpenAI-compatible server, open-loop.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate load --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["load"] + arguments) }
}

/// `tidegate gateway`: handed over likewise.
struct GatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Serve pools of workers behind one OpenAI-compatible API.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate gateway --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["gateway"] + arguments) }
}

/// `tidegate calibrate endpoint`: handed over likewise.
struct CalibrateEndpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Fit a profile to any OpenAI-compatible server, from outside.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate calibrate endpoint --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["calibrate", "endpoint"] + arguments) }
}

/// `tidegate control`: handed over likewise.
struct ControlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control", abstract: "Run the controller that resizes pools by a policy, or command a running one."
    )

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate control --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["control"] + arguments) }
}

/// `tidegate up`: handed over likewise.
struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Run a scenario's fleet on this machine: gateway, controller and workers.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate up --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["up"] + arguments) }
}

/// `tidegate rehearse`: handed over likewise.
struct RehearseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rehearse",
        abstract: "Play a scenario in real time on this machine and in simulation, and lay the two side by side.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate rehearse --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["rehearse"] + arguments) }
}

/// `tidegate init-ca`: handed over likewise.
struct InitCACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init-ca", abstract: "Make an authority and certificates for mutual TLS, for development.")

    @Argument(parsing: .captureForPassthrough, help: "See 'tidegate init-ca --help'.")
    var arguments: [String] = []

    func run() throws { try LivePlane.hand(over: ["init-ca"] + arguments) }
}

/// The executable `tidegate-live`, which lies beside this one.
enum LivePlane {
    /// Becomes that executable, with its exit code and signals.
    ///
    /// - Throws: `ExitCode.unavailable` when it is not there.
    static func hand(over arguments: [String]) throws -> Never {
        let path = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "tidegate-live").path
        let words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        execv(path, words)
        // Only a failure comes back from there.
        let reason = String(cString: strerror(errno))
        Console(isQuiet: false).alert(
            """
            tidegate \(arguments.first ?? ""): error: cannot run \(path): \(reason)
                build it beside this one: swift build --product tidegate-live, with -c release for a release build
            """)
        throw ExitCode.unavailable
    }
}
