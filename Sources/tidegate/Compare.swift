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
            policies know. The report, the bill and policy.json are those of the policy that ranks first.

            EXAMPLES
              tidegate compare Scenarios/chat-day --output out
              tidegate compare chat-day --output out --policies hpa,lookahead --replications 5
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
        let outcome = try await console.playing { () async throws -> Outcome in
            do {
                return Outcome(
                    try await PolicyStudy.run(
                        scenario, policies: choices, replications: study.replications, seed: study.seed,
                        workers: study.workers, progress: console.progress(of: scenario.name)))
            } catch let stopped as StudyStopped {
                guard let first = stopped.first else { throw stopped }
                return Outcome(runs: [[first]], interruption: stopped.interruption)
            }
        }
        console.finishProgress()
        let wall = (ContinuousClock.now - clock).seconds
        let shown = outcome.comparison?.rows[0].policy
        let runs = outcome.runs.first { shown == nil || $0[0].policy == shown }!
        var options: [String] = []
        if let labels { options = ["--policies", labels.joined(separator: ",")] }
        let content = ReportContent(
            scenario: scenario, result: runs[0],
            estimates: runs.count < 2
                ? nil : RunEstimates(runs.map(\.measurements), varied: scenario.whatReplicationsVary),
            comparison: outcome.comparison,
            partial: outcome.interruption.map { PartialRun(runs[0], runs: $0) }, version: Version.current,
            command: scenario.command("compare", options, seed: runs[0].seed, study: study))
        let plants = 1 + PolicyStudy.plantFactors.count
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: outcome.runs.joined().reduce(0) { $0 + $1.outcomes.arrived } * Int64(plants))
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            for tuning in outcome.tunings { print(ResultText.tuning(tuning)) }
            if let comparison = outcome.comparison { print(ResultText.comparison(comparison)) }
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
        }
        if outcome.interruption != nil { throw ExitCode.interrupted }
    }
}

/// What a comparison came to.
private struct Outcome {
    /// By policy and replication.
    var runs: [[RunResult]]
    /// `nil` when it was stopped before any two policies could be compared.
    var comparison: Comparison?
    var tunings: [TuningOutcome] = []
    var interruption: Interruption?

    init(_ study: PolicyStudy) {
        (runs, comparison) = (study.runs, study.comparison)
        (tunings, interruption) = (study.tunings, study.interruption)
    }

    /// The first run of a study that was stopped too early.
    init(runs: [[RunResult]], interruption: Interruption) { (self.runs, self.interruption) = (runs, interruption) }
}
