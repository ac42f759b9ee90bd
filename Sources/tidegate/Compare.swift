import ArgumentParser
import Foundation
import Reporting
import Simulation
import Studies

/// `tidegate compare`: every policy of a scenario on the same traffic.
struct Compare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play several policies on the very same traffic and rank those that meet the SLO by cost.",
        discussion: """
            Each policy is also played where every step of the fleet takes 15 % less or more time than the profile that
            policies know. What is said of differences is paired: replication by replication of the same traffic, or batch by
            batch of one run. The report, the bill and policy.json are those of the policy that ranks first.

            EXAMPLES
              tidegate compare Scenarios/chat-day --output out
              tidegate compare chat-day --output out --policies hpa,lookahead --replications 5
              tidegate compare chat-day --output out --precision 2% --max-replications 60
            """)

    @OptionGroup var input: ScenarioArguments
    @OptionGroup var study: StudyArguments
    @Option(help: "Labels of policies of the scenario, separated by commas. All of them without it.")
    var policies: String?

    func run() async throws {
        let console = Console(isQuiet: study.quiet)
        let scenario = try input.read(console: console)
        let labels = policies?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let choices = try labels?.map { try scenario.choice(labelled: $0) } ?? scenario.policies
        guard !choices.isEmpty else { throw ValidationError("--policies names no policy") }
        guard Set(choices.map(\.label)).count == choices.count else {
            throw ValidationError("--policies names a policy twice")
        }
        let startedAt = Date()
        let clock = ContinuousClock.now
        let outcome = try await PolicyStudy.run(
            scenario, policies: choices, count: study.count, seed: study.seed, workers: study.workers,
            progress: console.progress(of: scenario.name))
        console.finishProgress()
        let wall = (ContinuousClock.now - clock).seconds
        let shown = outcome.comparison.rows[0].policy
        let index = outcome.first.firstIndex { $0.policy == shown }!
        let result = outcome.first[index]
        var options: [String] = []
        if let labels { options = ["--policies", labels.joined(separator: ",")] }
        let content = ReportContent(
            scenario: scenario, result: result, estimates: RunEstimates(outcome.figures[index], of: scenario),
            batches: BatchEstimates(result, of: scenario, warmUp: study.warmUp),
            precision: outcome.comparison.precision, comparison: outcome.comparison, version: Version.current,
            command: scenario.command("compare", options, seed: result.seed, study: study))
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: outcome.requests)
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            for tuning in outcome.tunings { print(ResultText.tuning(tuning)) }
            print(ResultText.comparison(outcome.comparison))
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
        }
        try results.checkPrecision()
    }
}
