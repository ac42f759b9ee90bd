import ArgumentParser
import Commands
import Formats
import Foundation
import Reporting
import Simulation
import Studies

/// `tidegate sweep run`: plays the points that have no result yet.
struct SweepRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Play the points of a plan that have no result yet, or a shard of them.",
        discussion: """
            The result of a point is a file of its own that is written whole. A point that has one is not played again,
            once its digest is verified; a damaged file, or one of another plan, is told and replaced.

            EXAMPLES
              tidegate sweep run sweep
              tidegate sweep run sweep --shard 3/16
              tidegate sweep run sweep --points 10..19
            """)

    @OptionGroup var sweep: SweepArguments
    @Option(help: ArgumentHelp("One part of as many, counted from 0: 0/4 to 3/4.", valueName: "INDEX/COUNT"))
    var shard: String?
    @Option(help: ArgumentHelp("The points of these numbers, counted from 0.", valueName: "FIRST..LAST"))
    var points: String?
    @Option(help: "The scenario, where it does not lie where the plan has it.")
    var scenario: String?
    @Option(help: "Runs at a time; as many as there are processors without it. Results do not depend on it.")
    var workers = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws {
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1") }
        _ = try part()
    }

    func run() async throws {
        let console = Console(isQuiet: quiet)
        let sweep = try sweep.open(console: console)
        let plan = sweep.plan
        guard plan.version == Version.current else {
            console.alert(
                """
                \(sweep.path): error: the plan was made by version \(plan.version), and this is \(Version.current)
                    versions may give other numbers: run that one, or plan again into another folder
                """)
            throw ExitCode.badData
        }
        let wanted = try part().points(of: plan.points.count)
        if case .points(let range) = try part(), range.upperBound >= plan.points.count {
            throw ValidationError("the plan has the points 0..\(plan.points.count - 1)")
        }
        let path = try scenarioPath(sweep, console: console)
        try verifyScenario(sweep, at: path, console: console)
        try console.writing { try AtomicOutput.check([], in: sweep.results.path) }
        let (pending, remarks) = sweep.pending(of: wanted)
        for remark in remarks { console.alert("\(remark); the point is played again") }
        let invalid = try await play(pending, of: sweep, scenario: path, console: console)
        console.say(
            "\(wanted.count) points: \(pending.count - invalid) played, \(wanted.count - pending.count) were there"
                + (invalid > 0 ? ", \(invalid) cannot be played" : ""))
        if invalid > 0 { throw ExitCode.badData }
    }

    private func part() throws -> SweepShard {
        switch (shard, points) {
        case (nil, nil): return .all
        case (let shard?, nil):
            guard let part = SweepShard(part: shard) else {
                throw ValidationError("--shard takes INDEX/COUNT with an index from 0 to COUNT - 1, such as 0/4")
            }
            return part
        case (nil, let points?):
            guard let part = SweepShard(points: points) else {
                throw ValidationError("--points takes a number or FIRST..LAST, such as 10..19")
            }
            return part
        default: throw ValidationError("--shard and --points exclude each other")
        }
    }

    private func scenarioPath(_ sweep: OpenSweep, console: Console) throws -> String {
        if let scenario { return try ScenarioArguments.resolve(scenario) }
        let path = "\(sweep.folder)/\(sweep.plan.scenario.path)"
        guard FileManager.default.fileExists(atPath: path) else {
            console.alert(
                "\(path): error: the plan's scenario is not there\n    say where it is: --scenario PATH")
            throw ExitCode.missingInput
        }
        return path
    }

    private func verifyScenario(_ sweep: OpenSweep, at path: String, console: Console) throws {
        let reading = ScenarioReader.check(path: path)
        guard let scenario = reading.scenario else {
            for diagnostic in reading.diagnostics { console.alert("\(diagnostic)") }
            throw ExitCode.badData
        }
        guard let changes = sweep.plan.changes(to: scenario.files) else { return }
        console.alert(
            """
            \(path): error: the scenario is not the one of the plan: \(changes)
                take back the change, or plan again into another folder
            """)
        throw ExitCode.badData
    }

    /// Plays points, several at a time, and returns how many could not be.
    private func play(
        _ points: [Int], of sweep: OpenSweep, scenario path: String, console: Console
    ) async throws -> Int {
        guard !points.isEmpty else { return 0 }
        let together = min(workers, points.count)
        let player = PointPlayer(sweep: sweep, path: path, workers: max(1, workers / together))
        return try await withThrowingTaskGroup(of: PointPlayer.Outcome.self) { group in
            var rest = points[...]
            var (ended, invalid) = (0, 0)
            func start() {
                guard let point = rest.popFirst() else { return }
                group.addTask { try await player.play(point) }
            }
            for _ in 0..<together { start() }
            while let outcome = try await group.next() {
                ended += 1
                switch outcome {
                case .written: break
                case .invalid(let text):
                    invalid += 1
                    console.alert(text)
                case .notWritten(let error):
                    console.alert("\(error)")
                    throw ExitCode.cannotWrite
                }
                console.progress(
                    "sweep", share: Double(ended) / Double(points.count), detail: "\(ended) of \(points.count) points")
                start()
            }
            console.finishProgress()
            return invalid
        }
    }
}

/// Plays one point of a sweep and writes its result.
private struct PointPlayer: Sendable {
    enum Outcome: Sendable {
        case written
        /// The scenario cannot be played at this point, and why.
        case invalid(String)
        case notWritten(OutputError)
    }

    let sweep: OpenSweep
    let path: String
    let workers: Int

    func play(_ point: Int) async throws -> Outcome {
        let plan = sweep.plan
        let reading = plan.reading(of: point, path: path)
        func invalid(_ reasons: [String]) -> Outcome {
            .invalid((reasons + ["    this is at \(plan.name(of: point))"]).joined(separator: "\n"))
        }
        guard let scenario = reading.scenario else { return invalid(reading.diagnostics.map(\.description)) }
        if let changes = plan.changes(to: scenario.files) {
            return invalid(["\(path): error: the scenario is not the one of the plan any more: \(changes)"])
        }
        var policies: [PolicyChoice] = []
        for label in plan.policies {
            guard let policy = scenario.policies.first(where: { $0.label == label }) else {
                return invalid(["\(path): error: the scenario has no policy '\(label)'"])
            }
            policies.append(policy)
        }
        let outcomes: [SweepOutcome]
        do {
            outcomes = try await playSweepPoint(
                scenario, policies: policies, replications: plan.replications, seed: plan.seed, workers: workers)
        } catch let error as SimulationError {
            return invalid(["\(path): error: \(error)"])
        }
        do throws(OutputError) {
            try sweep.results.write(outcomes, of: point)
            return .written
        } catch {
            return .notWritten(error)
        }
    }
}
