import ArgumentParser
import Commands
import Live

/// `tidegate init-ca`: certificates for development.
struct InitCA: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init-ca",
        abstract: "Make an authority and a certificate for each role, for mutual TLS on a machine or a test cluster.",
        discussion: """
            Writes ca.pem and ca.key, and for gateway, controller and worker a certificate and a key, which hold the role as
            spiffe://tidegate/role/NAME. Keys are readable by their owner alone. Nothing is ever overwritten: to renew, make
            a new folder and move its files over the old ones, which running processes notice.

            The authority is one for development: its key lies beside it. Where more depends on it, let your own authority
            sign certificates with the same names. Needs the command openssl.

            EXAMPLES
              tidegate init-ca --output tls
              tidegate init-ca --output tls --days 7 --host worker-1.internal --host 10.0.0.7

            EXIT CODES
              0 made   64 wrong usage   69 there is no openssl   73 a file exists already, or cannot be written
            """)

    @Option(name: .shortAndLong, help: "The folder, which is made when it is not there.")
    var output: String
    @Option(help: "How many days the certificates are valid.")
    var days = 30
    @Option(
        name: .customLong("host"),
        help: ArgumentHelp(
            "A name or address for clients that check hosts too; may come several times.", valueName: "name"))
    var hosts: [String] = []

    func validate() throws {
        guard (1...3650).contains(days) else { throw ValidationError("--days is \(days), not 1 to 3650") }
        for host in hosts where !DevelopmentAuthority.isHost(host) {
            throw ValidationError("--host '\(host)' is no name and no address: write it without scheme and port")
        }
    }

    func run() async throws {
        let events = EventOutput(isJSON: false)
        var authority = DevelopmentAuthority(folder: output, days: days)
        authority.hosts += hosts
        do throws(DevelopmentAuthority.Failure) {
            for file in try await authority.make() { events.tell("made", text: file) }
        } catch {
            events.alert("error: \(error)")
            if case .noOpenSSL = error { throw ExitCode.unavailable }
            throw ExitCode.cannotWrite
        }
    }
}
