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
        var interruption: Interruption?
        var runs = try await console.playing {
            let (tuned, _) = try await tune(
                [choice], in: scenario, workers: study.workers, progress: console.progress(of: "tuning"))
            let plans = (0..<study.replications).map {
                RunPlan(policy: tuned[0], options: RunOptions(seed: study.seed, replication: $0))
            }
            let results = try await runUntilStopped(
                plans, of: scenario, workers: study.workers, progress: console.progress(of: scenario.name))
            interruption = Interruption(results)
            return results.compactMap { $0 }
        }
        if interruption != nil {
            // Estimates are over whole runs; without the first of them what there is of it is shown alone.
            let isFirstWhole = runs[0].stoppedAt == nil
            runs = isFirstWhole ? runs.filter { $0.stoppedAt == nil } : [runs[0]]
        }
        console.finishProgress()
        let wall = (ContinuousClock.now - clock).seconds
        let content = ReportContent(
            scenario: scenario, result: runs[0],
            estimates: runs.count < 2
                ? nil : RunEstimates(runs.map(\.measurements), varied: scenario.whatReplicationsVary),
            partial: interruption.map { PartialRun(runs[0], runs: $0) }, version: Version.current,
            command: scenario.command("replay", ["--policy", choice.label], seed: runs[0].seed, study: study))
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: runs.reduce(0) { $0 + $1.outcomes.arrived })
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
        }
        if interruption != nil { throw ExitCode.interrupted }
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
    /// Plays runs, which the user may interrupt. A trace that changed since it was checked is told as other bad input is.
    func playing<Value>(_ play: () async throws -> Value) async throws -> Value {
        Interrupt.catchFirst()
        defer { Interrupt.release() }
        do {
            return try await play()
        } catch let stopped as StudyStopped where stopped.first == nil {
            alert("stopped while tuning: there is no result, and nothing is written")
            throw ExitCode.interrupted
        } catch SimulationError.trace(_, let failure) {
            alert(failure.description)
            throw ExitCode.badData
        }
    }

    /// A study's progress on this console, which goes on until the user interrupts it.
    func progress(of what: String) -> @Sendable (StudyProgress) -> Continuation {
        { progress in
            guard !Interrupt.isRaised else {
                self.tellOfStop()
                return .stop
            }
            self.progress(
                what, share: progress.share,
                detail: "\(progress.ended) of \(progress.total) runs, \(progress.requests) requests"
            ) { spent in
                let time = ResultText.simulated(progress.simulated, of: progress.planned)
                let runs = progress.total > 1 ? ", \(progress.ended) of \(progress.total) runs" : ""
                let speed =
                    spent > 0 ? ", \(ResultText.grouped(Int(Double(progress.requests) / spent))) requests/s" : ""
                return time + runs + speed
            }
            return .goOn
        }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
