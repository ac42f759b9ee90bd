import ArgumentParser
import Commands
import Formats
import Foundation
import Simulation
import Studies

/// `tidegate sweep plan`: chooses the points and writes them down.
struct SweepPlanning: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Choose the points of a sweep and write them into a plan.",
        discussion: """
            A field is named by its path, as 'tidegate check SCENARIO --fields' lists them. It takes a list of values, or
            what lies between two: '8..32' whole numbers, '2/s..8/s', '30s..5m', '1.0..2.0', and 'x0.5..x2' or '±10%'
            for multiples of what the field has. A grid takes --levels values between two ends.

            EXAMPLES
              tidegate sweep plan chat-day --output sweep --vary pools.chat.replicas.max=4..12 --levels 3
              tidegate sweep plan chat-day --output sweep --design sobol --points 64 --replications 5 \\
                  --vary 'traffic.chat.rate=x0.5..x2' --vary slo_classes.interactive.ttft=500ms..4s
            """)

    enum Design: String, ExpressibleByArgument, CaseIterable {
        case grid
        case latinHypercube = "latin-hypercube"
        case sobol
    }

    @Argument(help: "A folder with a scenario.yaml, a YAML file, or the name of a folder under Scenarios/.")
    var scenario: String
    @Option(name: .shortAndLong, help: "The folder that receives plan.json, and later the results.")
    var output: String
    @Option(help: ArgumentHelp("A field and its values. May be repeated.", valueName: "PATH=RANGE"))
    var vary: [String]
    @Option(help: "How points are chosen: grid, latin-hypercube or sobol (at most 40 fields).")
    var design = Design.grid
    @Option(help: "How many points; for a Latin hypercube or Sobol.")
    var points: Int?
    @Option(help: "How many values a grid takes between two ends.")
    var levels = 5
    @Option(help: "Labels of policies to play at each point, separated by commas. The scenario's first without it.")
    var policies: String?
    @Option(help: "Independent draws of the traffic at each point; from 2 on, estimates have 95 % intervals.")
    var replications = 1
    @Option(help: "In place of the scenario's seed.")
    var seed: UInt64?

    func validate() throws {
        guard !vary.isEmpty else { throw ValidationError("--vary names what the sweep varies, such as PATH=1..4") }
        guard replications >= 1 else { throw ValidationError("--replications must be at least 1") }
        guard 1...SweepDesign.mostPoints ~= levels, 1...SweepDesign.mostPoints ~= points ?? 1 else {
            throw ValidationError("--levels and --points must be from 1 to \(SweepDesign.mostPoints)")
        }
        guard (points == nil) == (design == .grid) else {
            throw ValidationError(
                points == nil
                    ? "--points says how many points a \(design.rawValue) design has"
                    : "a grid has as many points as there are combinations: leave --points out, or name a --design")
        }
        _ = try ranges()
    }

    func run() throws {
        let console = Console(isQuiet: false)
        let path = try ScenarioArguments.resolve(scenario)
        let reading = ScenarioReader.check(path: path)
        for diagnostic in reading.diagnostics { console.alert("\(diagnostic)") }
        guard let base = reading.scenario else { throw ExitCode.badData }
        let plan = try plan(base, at: path)
        try check(plan, path: path, console: console)
        try write(plan, console: console)
        let runs = plan.points.count * plan.policies.count * plan.replications
        print(
            """
            \(output)/plan.json: \(plan.points.count) points, \(runs) runs
              tidegate sweep run \(output)
            """)
    }

    private func ranges() throws -> [(path: String, text: String, range: ValueRange)] {
        var ranges: [(path: String, text: String, range: ValueRange)] = []
        for argument in vary {
            guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
                throw ValidationError("--vary takes PATH=RANGE, such as pools.chat.replicas.max=4..12")
            }
            let path = String(argument[..<equals])
            let text = String(argument[argument.index(after: equals)...])
            guard !ranges.contains(where: { $0.path == path }) else {
                throw ValidationError("--vary names \(path) twice")
            }
            do throws(ValueRange.Refusal) {
                ranges.append((path, text, try ValueRange(text)))
            } catch {
                throw ValidationError("--vary \(path): '\(text)' \(error.reason)\n    \(error.fix)")
            }
        }
        return ranges
    }

    private func plan(_ base: Scenario, at path: String) throws -> SweepPlan {
        let ranges = try ranges()
        let labels = policies?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let choices = try labels?.map { try base.choice(labelled: $0) } ?? [base.policies[0]]
        guard !choices.isEmpty, Set(choices.map(\.label)).count == choices.count else {
            throw ValidationError("--policies names no policy, or one twice")
        }
        let seed = seed ?? base.seed
        let axes = ranges.map { range -> SweepAxis in
            switch range.range {
            case .listed(let values): .listed(values.count)
            case .between: .between(levels: levels)
            }
        }
        let chosen: SweepDesign =
            switch design {
            case .grid: .grid
            case .latinHypercube: .latinHypercube(points: points!)
            case .sobol: .sobol(points: points!)
            }
        let positions: [[SweepPosition]]
        do throws(SweepDesign.Problem) {
            positions = try chosen.points(of: axes, names: ranges.map(\.path), seed: seed)
        } catch {
            switch error {
            case .tooManyPoints(let limit):
                throw ValidationError("the sweep has more than \(limit) points: vary less, or use --design sobol")
            case .tooManyFields(let limit):
                throw ValidationError("Sobol's sequence has \(limit) dimensions: use --design latin-hypercube")
            }
        }
        return SweepPlan(
            scenario: .init(name: base.name, path: relativePath(to: path), files: base.files), design: chosen.name,
            seed: seed, replications: replications, varied: base.whatReplicationsVary,
            policies: choices.map(\.label), fields: ranges.map { .init(path: $0.path, range: $0.text) },
            points: positions.map { zip(ranges, $0).map { $0.range.text(at: $1) } }, version: Version.current)
    }

    /// Reads the scenario at points of the plan, so that what cannot be played is told before anything is.
    private func check(_ plan: SweepPlan, path: String, console: Console) throws {
        let pace = max(1, plan.points.count / 500)
        let sample = Set(stride(from: 0, to: plan.points.count, by: pace)).union([plan.points.count - 1]).sorted()
        for point in sample {
            let reading = plan.reading(of: point, path: path)
            guard let scenario = reading.scenario else {
                for diagnostic in reading.diagnostics { console.alert("\(diagnostic)") }
                console.alert("    this is at \(plan.name(of: point))")
                throw ExitCode.badData
            }
            for label in plan.policies { _ = try scenario.choice(labelled: label) }
        }
    }

    private func write(_ plan: SweepPlan, console: Console) throws {
        let file: SealedFile<SweepPlan>
        do {
            file = try SealedFile(plan, format: SweepPlan.format)
        } catch {
            preconditionFailure("a plan that cannot be written: \(error)")
        }
        // Results lie beside the plan: another plan in its place would make them strangers.
        if let found = FileManager.default.contents(atPath: "\(output)/plan.json"), found != Data(file.text.utf8) {
            console.alert(
                "\(output)/plan.json: error: there is another plan\n    name another folder, or remove this one")
            throw ExitCode.cannotWrite
        }
        do {
            try AtomicOutput.write([("plan.json", file.text)], to: output)
        } catch {
            console.alert("\(error)")
            throw ExitCode.cannotWrite
        }
    }

    /// The scenario from the plan's folder.
    private func relativePath(to path: String) -> String {
        let from = URL(filePath: output).resolvingSymlinksInPath().standardizedFileURL.pathComponents
        let to = URL(filePath: path).resolvingSymlinksInPath().standardizedFileURL.pathComponents
        let shared = zip(from, to).prefix { $0 == $1 }.count
        let steps = Array(repeating: "..", count: from.count - shared) + to[shared...]
        return steps.isEmpty ? "." : steps.joined(separator: "/")
    }
}

extension ValueRange {
    fileprivate func text(at position: SweepPosition) -> String {
        switch (self, position) {
        case (.listed(let values), .item(let index)): values[index]
        case (.between(let ends), .share(let share)): ends.text(at: share)
        default: preconditionFailure("a position of another axis")
        }
    }
}
