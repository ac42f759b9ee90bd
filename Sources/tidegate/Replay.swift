import ArgumentParser
import Foundation
import Reporting
import Simulation
import Studies

/// `tidegate replay`: one policy on a scenario.
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play a scenario against one policy and write the bill, the timeline and a report.",
        discussion: """
            EXAMPLES
              tidegate replay Scenarios/chat-day --output out
              tidegate replay chat-day --output out --policy hpa --replications 5
              tidegate replay chat-day --output out --precision 2%
              tidegate replay my-scenario.yaml --output out --json | jq .cost.total_usd
            """)

    @OptionGroup var input: ScenarioArguments
    @OptionGroup var study: StudyArguments
    @Option(help: "The label of a policy of the scenario. Its first policy without it.")
    var policy: String?

    func run() async throws {
        let console = Console(isQuiet: study.quiet)
        let scenario = try input.read(console: console)
        let choice = try scenario.choice(labelled: policy)
        let startedAt = Date()
        let clock = ContinuousClock.now
        let (tuned, _) = try await tune(
            [choice], in: scenario, workers: study.workers, progress: console.progress(of: "tuning"))
        let runs = try await Replications.play(
            [PolicyOnPlant(tuned[0])], of: scenario, count: study.count, seed: study.seed, workers: study.workers,
            progress: console.progress(of: scenario.name))
        console.finishProgress()
        let wall = (ContinuousClock.now - clock).seconds
        let content = ReportContent(
            scenario: scenario, result: runs.first[0], estimates: RunEstimates(runs.figures[0], of: scenario),
            batches: BatchEstimates(runs.first[0], of: scenario, warmUp: study.warmUp), precision: runs.precision,
            version: Version.current,
            command: scenario.command("replay", ["--policy", choice.label], seed: runs.first[0].seed, study: study))
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: runs.figures[0].reduce(0) { $0 + $1.requests })
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
        }
        try results.checkPrecision()
    }
}

extension Scenario {
    /// The policy with this label, or the first.
    func choice(labelled label: String?) throws -> PolicyChoice {
        guard let label else { return policies[0] }
        guard let choice = policies.first(where: { $0.label == label }) else {
            throw ValidationError(
                "the scenario has no policy '\(label)'; it has: \(policies.map(\.label).joined(separator: ", "))")
        }
        return choice
    }

    /// What to type to get the same files again. Names no folder of this machine, so that files do not depend on it.
    func command(_ verb: String, _ options: [String], seed: UInt64, study: StudyArguments) -> String {
        var words = ["tidegate", verb, name] + options + ["--seed", String(seed)]
        if let replications = study.replications, replications > 1 || study.precision != nil {
            words += ["--replications", String(replications)]
        }
        if let precision = study.precision {
            words += ["--precision", precision.text, "--max-replications", String(study.maxReplications)]
        }
        if study.warmUp != .auto { words += ["--warm-up", study.warmUp.rawValue] }
        return (words + ["--output", "out"]).joined(separator: " ")
    }
}

extension Console {
    /// A study's progress on this console.
    func progress(of what: String) -> @Sendable (StudyProgress) -> Void {
        { progress in
            self.progress(
                what, share: progress.share,
                detail: "\(progress.ended) of \(progress.total) runs, \(progress.requests) requests")
        }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
