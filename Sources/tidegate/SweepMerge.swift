import ArgumentParser
import Commands
import Formats
import Foundation
import Reporting
import Studies

/// `tidegate sweep merge`: one table of all results.
struct SweepMerge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Make one table of the results of a sweep: sweep.csv, sweep.json and sweep.html.",
        discussion: """
            The bytes depend on the plan alone, not on how its points were cut into shards.

            EXAMPLES
              tidegate sweep merge sweep
              tidegate sweep merge sweep --partial

            Exits with 66 when points have no result, unless --partial is given.
            """)

    @OptionGroup var sweep: SweepArguments
    @Option(name: .shortAndLong, help: "The folder that receives the files. The plan's without it.")
    var output: String?
    @Flag(help: "Merge what is there and name the points that are not.")
    var partial = false

    func run() throws {
        let console = Console(isQuiet: false)
        let sweep = try sweep.open(console: console)
        let folder = output ?? sweep.folder
        try console.writing { try AtomicOutput.check(["sweep.csv", "sweep.json", "sweep.html"], in: folder) }
        var results: [SweepResult] = []
        for point in sweep.plan.points.indices {
            switch sweep.results.state(of: point) {
            case .done(let result): results.append(result)
            case .missing: break
            case .unusable(let reason): console.alert("\(reason); it counts as missing")
            }
        }
        let table = SweepTable(plan: sweep.plan, planDigest: sweep.digest, results: results)
        if !table.missing.isEmpty, !partial {
            console.alert(
                """
                \(sweep.results.path): error: \(table.missing.count) of \(sweep.plan.points.count) points have no \
                result: \(SweepShard.spelled(table.missing))
                    play them: tidegate sweep run \(self.sweep.plan), or merge what is there with --partial
                """)
            throw ExitCode.missingInput
        }
        do {
            try AtomicOutput.write(
                [
                    ("sweep.csv", SweepTableFile(table).text),
                    ("sweep.json", try CanonicalJSON.encode(SweepSummary(table))),
                    ("sweep.html", SweepPage(table).text),
                ], to: folder)
        } catch let error as OutputError {
            console.alert("\(error)")
            throw ExitCode.cannotWrite
        }
        print(SweepPage.verdict(table))
        print("\(folder): sweep.html  sweep.csv  sweep.json")
    }
}
