import ArgumentParser
import Foundation
import Statistics
import Studies

/// What `replay` and `compare` share: where results go, how many runs, what is printed.
struct StudyArguments: ParsableArguments {
    @Option(name: .shortAndLong, help: "The folder that receives the report and its tables. Made when missing.")
    var output: String
    @Option(help: "In place of the scenario's seed.")
    var seed: UInt64?
    @Option(help: "Independent draws of the traffic; from 2 on, estimates have 95 % intervals.")
    var replications: Int?
    @Option(
        help: ArgumentHelp(
            "Add replications until half of each 95 % interval of cost, SLO attainment, TTFT p99 and ITL p99, of every policy, is at most this share of the estimate.",
            discussion: """
                The sequential procedure of Law and Kelton: looks after each replication, from --replications (10 without \
                it) to --max-replications. Where those are not enough, everything is written and the exit code is 75.
                """, valueName: "PERCENT"))
    var precision: Percentage?
    @Option(help: "With --precision: where to give up.")
    var maxReplications = 200
    @Option(
        help: ArgumentHelp(
            "A run's warm-up, found by MSER-5: 'cut' it from the long-run estimates of a single run, 'keep' it, or 'auto': cut it where every rate is constant. The bill and the run's own figures always hold the whole run.",
            valueName: "auto|keep|cut"))
    var warmUp = WarmUpChoice.auto
    @Option(help: "Runs at a time; as many as there are processors without it. Results do not depend on it.")
    var workers = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the summary as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false
    @Option(
        help: ArgumentHelp(
            "The SQLite file that remembers runs. Without it: $TIDEGATE_STORE, else runs.sqlite in the user's data folder.",
            valueName: "FILE"))
    var store: String?
    @Flag(name: .customLong("no-store"), help: "Do not record the run.")
    var skipsStore = false

    func validate() throws {
        guard (replications ?? 1) >= 1 else { throw ValidationError("--replications must be at least 1") }
        if precision != nil {
            guard (replications ?? 10) >= 2 else {
                throw ValidationError("--precision needs --replications of at least 2: one run has no spread")
            }
            guard maxReplications >= replications ?? 10 else {
                throw ValidationError(
                    "--max-replications \(maxReplications) is below the \(replications ?? 10) that --precision starts with; "
                        + "raise it, or lower --replications")
            }
        }
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1") }
    }

    /// How many replications to make, as asked.
    var count: ReplicationCount {
        guard let precision else { return .exactly(replications ?? 1) }
        return .until(
            SequentialPrecision(share: precision.share, minimum: replications ?? 10, maximum: maxReplications))
    }

    /// Where runs are recorded; `nil` when they are not.
    var storePath: String? {
        if skipsStore { return nil }
        let environment = ProcessInfo.processInfo.environment
        if let path = store ?? environment["TIDEGATE_STORE"] { return path }
        if let data = environment["XDG_DATA_HOME"], !data.isEmpty { return "\(data)/tidegate/runs.sqlite" }
        return "\(environment["HOME"] ?? ".")/.local/share/tidegate/runs.sqlite"
    }
}

/// A share written as a percentage, such as `2%`.
struct Percentage: ExpressibleByArgument, Equatable {
    let text: String
    /// Above 0, below 1.
    let share: Double

    init?(argument: String) {
        guard argument.last == "%", let number = Double(argument.dropLast()), number > 0, number < 100 else {
            return nil
        }
        text = argument
        share = number / 100
    }
}

extension WarmUpChoice: ExpressibleByArgument {}
