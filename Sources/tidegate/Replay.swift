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
              tidegate replay chat-day --output out --vary traffic.chat.rate=±10% --vary pools.chat.cold_start=±50%
              tidegate replay chat-day --output out --uncertainty 32
              tidegate replay my-scenario.yaml --output out --json | jq .cost.total_usd
            """)

    @OptionGroup var input: ScenarioArguments
    @OptionGroup var study: StudyArguments
    @OptionGroup var whatIf: WhatIfArguments
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
        let plans = (0..<study.replications).map {
            RunPlan(policy: tuned[0], options: RunOptions(seed: study.seed, replication: $0))
        }
        let runs = try await runAll(
            plans, of: scenario, workers: study.workers, progress: console.progress(of: scenario.name))
        console.finishProgress()
        let wall = (ContinuousClock.now - clock).seconds
        var content = ReportContent(
            scenario: scenario, result: runs[0],
            estimates: runs.count < 2
                ? nil : RunEstimates(runs.map(\.measurements), varied: scenario.whatReplicationsVary),
            version: Version.current,
            command: scenario.command(
                "replay", ["--policy", choice.label] + whatIf.options, seed: runs[0].seed, study: study))
        (content.sensitivity, content.uncertainty) = try await whatIf.play(
            scenario, from: input, policy: tuned[0], study: study, replications: runs.count, console: console)
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: runs.reduce(0) { $0 + $1.outcomes.arrived })
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
            if let sensitivity = content.sensitivity { print(ResultText.sensitivity(sensitivity)) }
            if let uncertainty = content.uncertainty { print(ResultText.uncertainty(uncertainty)) }
        }
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
        if study.replications > 1 { words += ["--replications", String(study.replications)] }
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
