import ArgumentParser
import Commands
import Formats
import Foundation
import Reporting
import Simulation
import Studies

/// `tidegate size`: the cheapest fleet that keeps its promise.
struct Size: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Find the cheapest pools, counts and policy parameters that meet every SLO with a stated probability.",
        discussion: """
            A fleet meets the SLO on a draw of the traffic when every class reaches its attainment there. The answer may
            miss on at most the share --risk of draws. Every candidate faces the same draws: each fixed number of
            replicas within the pools' bounds, and each policy of the scenario with a grid of its parameters. A 'size'
            block in the scenario adds other offerings, engine settings and grids (Docs/scenario-reference.md).
            Candidates whose cost or misses decide early are set aside early; the answer is then played on fresh draws
            that had no part in the choice.

            EXAMPLES
              tidegate size Scenarios/chat-day
              tidegate size chat-day --risk 10% --output out
              tidegate size chat-day --json | jq .answer.cost_usd

            Exits with 2 when nothing meets the SLO, and says what comes nearest and what stands in its way.
            """)

    @OptionGroup var input: ScenarioArguments
    @Option(help: "The share of draws on which the SLO may be missed, such as 5%.")
    var risk: Risk = Risk(share: 0.05)
    @Option(
        help: "Draws that decide. Without it, as many as prove a fleet that never misses at 95 %: 59 at a risk of 5 %.")
    var draws: Int?
    @Flag(inversion: .prefixedNo, help: "Play the answer on as many fresh draws.")
    var confirm = true
    @Option(name: .shortAndLong, help: "A folder that receives size.json, candidates.csv and answer.yaml.")
    var output: String?
    @Option(help: "In place of the scenario's seed.")
    var seed: UInt64?
    @Option(help: "Runs at a time; as many as there are processors without it. Results do not depend on it.")
    var workers = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the result as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws {
        guard (draws ?? 1) >= 1, workers >= 1 else { throw ValidationError("--draws and --workers must be at least 1") }
    }

    func run() async throws {
        let console = Console(isQuiet: quiet)
        let scenario = try input.read(console: console)
        if let output {
            try console.writing { try AtomicOutput.check(["size.json", "candidates.csv", "answer.yaml"], in: output) }
        }
        let rule = SizingRule(risk: risk.share, draws: draws)
        let result = try await SizingStudy.run(
            scenario, rule: rule, confirms: confirm, seed: seed, workers: workers
        ) { progress in
            console.say(
                "size: \(progress.runs) runs, \(progress.played) of \(progress.candidates) candidates, "
                    + "now \(progress.candidate)")
        }
        let document = try CanonicalJSON.encode(SizingSummary(result, classes: scenario.sloClasses.map(\.name)))
        let answer = result.answer.map { SizingFile($0, of: scenario.name).text }
        if let output {
            var files = [("size.json", document), ("candidates.csv", SizingTable(result, of: scenario).text)]
            if let answer { files.append(("answer.yaml", answer)) }
            try console.writing { try AtomicOutput.write(files, to: output) }
        }
        print(json ? document : SizingText(result).text + (answer.map { "\n" + $0 } ?? ""), terminator: "")
        if result.answer == nil { throw ExitCode.nothingMeets }
    }
}

/// A probability as the user writes it: `5%`.
struct Risk: ExpressibleByArgument {
    /// Range: above 0, below 1.
    var share: Double
    var defaultValueDescription: String { "\(share * 100)%" }

    init(share: Double) { self.share = share }

    init?(argument: String) {
        guard argument.hasSuffix("%"), let value = Double(argument.dropLast()), (0.1...50).contains(value) else {
            return nil
        }
        share = value / 100
    }

    static var allValueStrings: [String] { ["0.1% to 50%"] }
}
