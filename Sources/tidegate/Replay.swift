import ArgumentParser
import Commands
import Formats
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
              tidegate replay chat-day --output out --vary traffic.chat.rate=±10% --vary pools.chat.cold_start=±50%
              tidegate replay chat-day --output out --uncertainty 32
              tidegate replay chat-day --output out --journal out/journal.jsonl --requests out/requests.csv.gz
              tidegate replay my-scenario.yaml --output out --json | jq .cost.total_usd
            """)

    @OptionGroup var input: ScenarioArguments
    @OptionGroup var study: StudyArguments
    @OptionGroup var whatIf: WhatIfArguments
    @OptionGroup var streams: StreamArguments
    @Option(help: "The label of a policy of the scenario. Its first policy without it.")
    var policy: String?

    func validate() throws { try streams.validate(with: study) }

    func run() async throws {
        let console = Console(isQuiet: study.quiet)
        let scenario = try input.read(console: console)
        let choice = try scenario.choice(labelled: policy)
        let files = try console.writing {
            try Results.check(study)
            return try RunStreams(streams, of: scenario)
        }
        let command = scenario.command(
            "replay", ["--policy", choice.label] + whatIf.options, seed: study.seed ?? scenario.seed, study: study)
        let startedAt = Date()
        let clock = ContinuousClock.now
        let runs = try await console.playing { () async throws -> Outcome in
            let (tuned, _) = try await tune(
                [choice], in: scenario, workers: study.workers, progress: console.progress(of: "tuning"))
            do {
                return Outcome(
                    try await Replications.play(
                        [PolicyOnPlant(tuned[0])], of: scenario, count: study.count, seed: study.seed,
                        workers: study.workers, tap: files.tap(origin: command),
                        progress: console.progress(of: scenario.name, while: { files.failure == nil })),
                    of: tuned[0])
            } catch let stopped as StudyStopped {
                return Outcome(first: stopped.first!, of: tuned[0], interruption: stopped.interruption)
            }
        }
        console.finishProgress()
        try console.writing { try files.close() }
        let wall = (ContinuousClock.now - clock).seconds
        var content = ReportContent(
            scenario: scenario, result: runs.first, estimates: RunEstimates(runs.figures, of: scenario),
            batches: BatchEstimates(runs.first, of: scenario, warmUp: study.warmUp), precision: runs.precision,
            partial: runs.interruption.map { PartialRun(runs.first, runs: $0) }, version: Version.current,
            command: command)
        // Who stopped the runs wants no more of them.
        if runs.interruption == nil {
            (content.sensitivity, content.uncertainty) = try await console.tellingOfTraces {
                try await whatIf.play(
                    scenario, from: input, policy: runs.policy, study: study, replications: runs.figures.count,
                    console: console)
            }
        }
        let results = Results(
            content: content, arguments: study, console: console, startedAt: startedAt, wallSeconds: wall,
            requests: runs.requests)
        try results.write()
        if study.json {
            try results.printJSON()
        } else {
            print(ResultText.replay(content, folder: study.output, wallSeconds: wall))
            if let sensitivity = content.sensitivity { print(ResultText.sensitivity(sensitivity)) }
            if let uncertainty = content.uncertainty { print(ResultText.uncertainty(uncertainty)) }
        }
        if runs.interruption != nil { throw ExitCode.interrupted }
        try results.checkPrecision()
    }
}

/// What the replications of one policy came to.
private struct Outcome {
    /// Without anything left to tune.
    var policy: PolicyChoice
    /// The run whose files are written.
    var first: RunResult
    /// Of all replications.
    var figures: [RunFigures]
    var precision: PrecisionOutcome?
    var interruption: Interruption?

    init(_ runs: Replications, of policy: PolicyChoice) {
        self.policy = policy
        (first, figures) = (runs.first[0], runs.figures[0])
        (precision, interruption) = (runs.precision, runs.interruption)
    }

    /// The first run, stopped.
    init(first: RunResult, of policy: PolicyChoice, interruption: Interruption) {
        self.policy = policy
        (self.first, figures, self.interruption) = (first, [], interruption)
    }

    var requests: Int64 { figures.isEmpty ? first.outcomes.arrived : figures.reduce(0) { $0 + $1.requests } }
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
    /// Plays runs, which the user may interrupt.
    func playing<Value>(_ play: () async throws -> Value) async throws -> Value {
        Interrupt.catchFirst(SIGINT)
        defer { Interrupt.release() }
        do {
            return try await tellingOfTraces(play)
        } catch let stopped as StudyStopped where stopped.first == nil {
            alert("stopped while tuning: there is no result, and nothing is written")
            throw ExitCode.interrupted
        }
    }

    /// Writes output, or opens it. That it cannot be is told, and ends the command.
    func writing<Value>(_ write: () throws -> Value) throws -> Value {
        do {
            return try write()
        } catch let error as OutputError {
            alert("\(error)")
            throw ExitCode.cannotWrite
        }
    }

    /// Plays runs. A trace that changed since it was checked is told as other bad input is.
    func tellingOfTraces<Value>(_ play: () async throws -> Value) async throws -> Value {
        do {
            return try await play()
        } catch SimulationError.trace(_, let failure) {
            alert(failure.description)
            throw ExitCode.badData
        }
    }

    /// A study's progress on this console, which goes on until the user interrupts it.
    ///
    /// - Parameter isOfUse: Whether to go on at all.
    func progress(
        of what: String, while isOfUse: @escaping @Sendable () -> Bool = { true }
    ) -> @Sendable (StudyProgress) -> Continuation {
        { progress in
            guard isOfUse() else { return .stop }
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
