import ArgumentParser
import Formats
import Foundation
import Live
import Scaling
import Simulation
import Units

/// What a fleet on this machine runs, for `up` and `rehearse`.
struct FleetArguments: ParsableArguments {
    enum Executor: String, ExpressibleByArgument, CaseIterable { case core, emulated }

    @Argument(help: "A folder with a scenario.yaml, a YAML file, or the name of a folder under Scenarios/.")
    var scenario: String
    @Option(
        help: ArgumentHelp(
            "The label of a policy of the scenario, or a policy.json as 'replay' wrote it. The scenario's first without it.",
            valueName: "LABEL|FILE"))
    var policy: String?
    @Option(help: "Who makes the tokens: emulated workers take the profile's times, core computes a real model.")
    var executor = Executor.emulated
    @Option(help: "With core: a folder, a .gguf file, or a preset.")
    var model: String?
    @Option(help: "With core: threads of each worker.")
    var threads: Int?
    @Option(help: "Only this pool of the scenario, with its traffic.")
    var pool: String?

    func validate() throws {
        if executor == .core, model == nil { throw ValidationError("--executor core needs --model") }
        if executor == .emulated, model != nil || threads != nil {
            throw ValidationError("--model and --threads are for --executor core")
        }
    }

    /// The scenario as it is to be played.
    func read() throws -> Scenario {
        var scenario = try ScenarioFile.read(self.scenario)
        guard let pool else { return scenario }
        guard scenario.pools.contains(where: { $0.id.name == pool }) else {
            let names = scenario.pools.map(\.id.name).joined(separator: ", ")
            throw ValidationError("the scenario has no pool '\(pool)'; it has: \(names)")
        }
        scenario.pools.removeAll { $0.id.name != pool }
        scenario.sources.removeAll { $0.pool.name != pool }
        scenario.traces.removeAll { $0.pool.name != pool }
        return scenario
    }

    func choice(in scenario: Scenario) throws -> PolicyChoice {
        guard let policy else { return scenario.policies[0] }
        if let choice = scenario.policies.first(where: { $0.label == policy }) { return choice }
        guard policy.hasSuffix(".json") else {
            let labels = scenario.policies.map(\.label).joined(separator: ", ")
            throw ValidationError("the scenario has no policy '\(policy)'; it has: \(labels)")
        }
        let file = try PolicyFileReader.read(path: policy)
        guard case .map(var parameters) = file.parameters else {
            throw ValidationError("\(policy): the policy has no parameters")
        }
        // The scenario's pools say what it plans with.
        for parameter in PolicyCatalog.descriptions.first(where: { $0.name == file.name })?.parameters ?? []
        where !parameter.isSettable { parameters[parameter.name] = nil }
        return PolicyChoice(label: file.name, policy: file.name, parameters: parameters)
    }

    var workers: WorkerExecutor {
        executor == .core ? .core(model: model!, threads: threads) : .emulated
    }

    /// This very executable, which the workers are started from.
    static var program: String { URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path }
}
