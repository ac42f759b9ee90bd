import ArgumentParser
import Commands
import Formats
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
        try console.writing { try Results.check(study) }
        let startedAt = Date()
        let clock = ContinuousClock.now
        let outcome = try await console.playing { () async throws -> Outcome in
            do {
                return Outcome(
                    try await PolicyStudy.run(
                        scenario, policies: choices, count: study.count, seed: study.seed, workers: study.workers,
                        progress: console.progress(of: scenario.name)))
            } catch let stopped as StudyStopped {
                guard let first = stopped.first else { throw stopped }
                return Outcome(first: first, interruption: stopped.interruption)
            }
        }
        console.finishProgress()
        let wall = (ContinuousClock.now - clock).seconds
        let (result, figures) = outcome.shown
        var options: [String] = []
        if let labels { options = ["--policies", labels.joined(separator: ",")] }
        let content = ReportContent(
            scenario: scenario, result: result, estimates: RunEstimates(figures, of: scenario),
            batches: BatchEstimates(result, of: scenario, warmUp: study.warmUp),
            precision: outcome.comparison?.precision, comparison: outcome.comparison,
            partial: outcome.interruption.map { PartialRun(result, runs: $0) }, version: Version.current,
            command: scenario.command("compare", options, seed: result.seed, study: study))
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: outcome.requests)
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            for tuning in outcome.tunings { print(ResultText.tuning(tuning)) }
            if let comparison = outcome.comparison { print(ResultText.comparison(comparison)) }
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
        }
        if outcome.interruption != nil { throw ExitCode.interrupted }
        try results.checkPrecision()
    }
}

/// What a comparison came to.
private struct Outcome {
    /// The run whose files are written, and the figures of all replications of its policy.
    var shown: (result: RunResult, figures: [RunFigures])
    /// `nil` when it was stopped before any two policies could be compared.
    var comparison: Comparison?
    /// Of all runs.
    var requests: Int64
    var tunings: [TuningOutcome] = []
    var interruption: Interruption?

    init(_ study: PolicyStudy) {
        let index = study.first.firstIndex { $0.policy == study.comparison.rows[0].policy }!
        shown = (study.first[index], study.figures[index])
        (comparison, requests) = (study.comparison, study.requests)
        (tunings, interruption) = (study.tunings, study.interruption)
    }

    /// The first run of a study that was stopped too early.
    init(first: RunResult, interruption: Interruption) {
        shown = (first, [])
        requests = first.outcomes.arrived
        self.interruption = interruption
    }
}
