import ArgumentParser
import Commands
import EngineModel
import FleetModel
import Formats
import Foundation
import Serving
import Simulation

/// Which scenario, and which engine profile in place of the one it names.
struct ScenarioArguments: ParsableArguments {
    @Argument(help: "A folder with a scenario.yaml, a YAML file, or the name of a folder under Scenarios/.")
    var scenario: String

    @Option(
        name: .customLong("profile"),
        help: ArgumentHelp(
            "Use another engine profile for a pool, such as one calibrated here. May be repeated.",
            valueName: "POOL=FILE"))
    var profiles: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Change a field before anything is played: to a value, or to a multiple of what it has. May be repeated.",
            discussion: "Such as traffic.chat.rate=x0.5 or pools.chat.replicas.max=32; 'check --fields' lists paths.",
            valueName: "PATH=VALUE"))
    var changes: [String] = []

    /// The scenario, complete and checked; every mistake is printed and none is left to be found later.
    func read(console: Console, applying edits: [ScenarioEdit] = []) throws -> Scenario {
        let path = try resolvedPath()
        let reading = ScenarioReader.check(path: path, applying: try changes.map(Self.edit) + edits)
        for diagnostic in reading.diagnostics { console.alert("\(diagnostic)") }
        guard var scenario = reading.scenario else { throw ExitCode.badData }
        for replacement in profiles { try scenario.replaceProfile(replacement, console: console) }
        // Whoever reads the report must see that it is not of the file as it stands.
        if !changes.isEmpty { scenario.question += " With \(changes.joined(separator: ", "))." }
        return scenario
    }

    private static func edit(_ change: String) throws -> ScenarioEdit {
        let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw ValidationError("--set takes PATH=VALUE, such as --set traffic.chat.rate=x0.5")
        }
        return ScenarioEdit(path: parts[0], value: parts[1])
    }

    func resolvedPath() throws -> String { try Self.resolve(scenario) }

    /// Where the scenario is that goes by `scenario`.
    static func resolve(_ scenario: String) throws -> String {
        for path in [scenario, "Scenarios/\(scenario)"] where FileManager.default.fileExists(atPath: path) {
            return path
        }
        let known = (try? FileManager.default.contentsOfDirectory(atPath: "Scenarios"))?.filter {
            FileManager.default.fileExists(atPath: "Scenarios/\($0)/scenario.yaml")
        }
        Console(isQuiet: false).alert(
            """
            \(scenario): error: there is no such scenario
                give a folder with a scenario.yaml or a YAML file\
            \(known.map { $0.isEmpty ? "" : "; under Scenarios/ there are: \($0.sorted().joined(separator: ", "))" } ?? "")
            """)
        throw ExitCode.missingInput
    }
}

extension Scenario {
    fileprivate mutating func replaceProfile(_ argument: String, console: Console) throws {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw ValidationError("--profile takes POOL=FILE, such as --profile laptop=out/core-profile.json")
        }
        guard let pool = pools.firstIndex(where: { $0.id.name == parts[0] }) else {
            throw ValidationError(
                "there is no pool '\(parts[0])'; pools: \(pools.map(\.id.name).joined(separator: ", "))")
        }
        let profile: EngineProfile
        do {
            profile = try EngineProfileFile.read(path: parts[1])
        } catch {
            console.alert("\(error)")
            throw ExitCode(ofReading: parts[1])
        }
        let own = pools[pool].profile
        pools[pool].use(profile)
        // What else the pool may be built as keeps a profile that it states itself.
        let ways = (sizing?.pools[pool] ?? []).map { way in
            guard way.configuration.profile == own else { return way }
            var copy = way
            copy.configuration.use(profile)
            copy.source = way.source.map { $0.key == "profile" ? .init(key: $0.key, value: "\"\(parts[1])\"") : $0 }
            return copy
        }
        sizing?.pools[pool] = ways
    }
}

extension PoolConfiguration {
    /// Takes the engine, its memory and its measured start-up stages from another profile.
    fileprivate mutating func use(_ profile: EngineProfile) {
        self.profile = profile
        let blocks = Int(profile.kvTokens) / batcher.blockSize
        batcher = BatcherConfiguration(
            maxBatchedTokens: batcher.maxBatchedTokens, maxSequences: batcher.maxSequences,
            blockSize: batcher.blockSize,
            totalBlocks: blocks, maxContext: min(Int(profile.maxContext), blocks * batcher.blockSize))
        coldStart.provision = profile.coldStart.provision ?? coldStart.provision
        coldStart.pull = profile.coldStart.pull ?? coldStart.pull
        coldStart.load = profile.coldStart.load ?? coldStart.load
        coldStart.warmUp = profile.coldStart.warmUp ?? coldStart.warmUp
    }
}
