import ArgumentParser
import Formats

/// The live plane's executable. People call `tidegate worker` or `tidegate load`, which hand over to it: what only simulates stays without
/// the network's libraries.
@main
struct TidegateLive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tidegate", abstract: "The live plane: processes that serve, and load for them.",
        version: Version.current,
        subcommands: [
            Worker.self, Gateway.self, Load.self, Control.self, Up.self, Rehearse.self, Calibrate.self, Validate.self,
            InitCA.self,
        ])
}
