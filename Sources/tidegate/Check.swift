import ArgumentParser
import Formats

/// `tidegate check`: every mistake of a scenario at once.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell every mistake of a scenario, with its place and a fix, before anything runs.",
        discussion: """
            Reads the scenario and every file it points at: profiles, price books, traces.

            EXAMPLES
              tidegate check Scenarios/chat-day
              tidegate check Scenarios/chat-day --fields

            Exits with 0 when there is no error, 65 when there is one.
            """)

    @OptionGroup var input: ScenarioArguments
    @Flag(help: "List every field with its value, under the path that --vary takes.")
    var fields = false

    func run() throws {
        if fields {
            for field in ScenarioReader.fields(path: try input.resolvedPath()) { print("\(field.path)=\(field.value)") }
        }
        let scenario = try input.read(console: Console(isQuiet: false))
        let traffic = scenario.sources.count + scenario.traces.count
        print(
            "\(scenario.name): no errors; \(traffic) sources of traffic, \(scenario.pools.count) pools, "
                + "\(scenario.policies.count) policies, \(scenario.duration) from \(scenario.start)")
    }
}
