import ArgumentParser
import Calibration
import EngineModel
import Formats
import Foundation
import Units

/// `tidegate validate`: a profile held against requests that a real engine served.
struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Simulate the requests of a measured run and compare, latency by latency.",
        discussion: """
            DIR holds meta.json (the engine's limits), requests.jsonl (what was measured) and the workload, as
            LLMServingSim's bench writes them. The same arrivals and lengths go through the simulator under the same
            limits.

            EXAMPLES
              tidegate validate profile.json --measured measured_vllm_rtx4090_llama-3.1-8b
              tidegate validate profile.json --measured DIR --json
            """)

    @Argument(help: "The profile.")
    var profile: String
    @Option(help: ArgumentHelp("A folder with a measured run.", valueName: "DIR"))
    var measured: String
    @Flag(help: "Print the comparison as JSON on standard output.")
    var json = false

    func run() throws {
        let console = Console(isQuiet: false)
        let engine = try read(profile, console) { path throws(InvalidInput) in
            try EngineProfileFile.read(path: path)
        }
        let run = try read(measured, console) { path throws(InvalidInput) in try MeasuredRun.read(folder: path) }
        let validation: Validation
        do {
            validation = try Validation(run, profile: engine)
        } catch {
            console.alert("\(measured): error: \(error)")
            throw ExitCode.badData
        }
        for warning in validation.warnings { console.alert("WARNING: outside the profile's range: \(warning)") }
        if json {
            print(try CanonicalJSON.encode(ValidationDocument(validation)), terminator: "")
        } else {
            print(ValidationText.table(validation), terminator: "")
        }
    }

    private func read<Value>(
        _ path: String, _ console: Console, _ body: (String) throws(InvalidInput) -> Value
    ) throws -> Value {
        guard FileManager.default.fileExists(atPath: path) else {
            console.alert("\(path): error: there is no such file or folder")
            throw ExitCode.missingInput
        }
        do throws(InvalidInput) {
            return try body(path)
        } catch {
            console.alert("\(error)")
            throw ExitCode(ofReading: path)
        }
    }
}

/// What `validate --json` prints; latencies are in seconds.
private struct ValidationDocument: Encodable {
    struct Host: Encodable {
        var microseconds: Double
        var source: String

        enum CodingKeys: String, CodingKey {
            case microseconds = "per_step_us"
            case source
        }
    }
    struct Run: Encodable {
        var requests: Int
        var steps: Int
        var preemptions: Int
        var cachedTokens: Int64
        var isAsync: Bool

        enum CodingKeys: String, CodingKey {
            case requests, steps, preemptions
            case cachedTokens = "cached_prompt_tokens"
            case isAsync = "asynchronous_scheduling"
        }
    }

    var profile: String
    var measuredRun: String
    var hostOverhead: Host
    var simulatedRun: Run
    var measured: LatencySet
    var simulated: LatencySet
    var error: LatencySet
    var residuals: [Validation.Residual]
    var warnings: [String]
    var assumptions: [String]

    enum CodingKeys: String, CodingKey {
        case profile, measured, simulated, warnings, assumptions
        case measuredRun = "measured_run"
        case hostOverhead = "host_overhead"
        case simulatedRun = "simulated_run"
        case error = "error_percent"
        case residuals = "residuals_percent"
    }

    init(_ validation: Validation) {
        profile = validation.profile.name
        measuredRun = validation.run.folder
        hostOverhead = Host(
            microseconds: validation.profile.stepTime.hostOverhead / 1000,
            source: ValidationText.hostOverheadSource(validation.profile))
        simulatedRun = Run(
            requests: validation.run.requests.count, steps: validation.outcome.steps,
            preemptions: validation.outcome.preemptions, cachedTokens: validation.outcome.cachedTokens,
            isAsync: validation.run.engine.asyncScheduling)
        measured = validation.measured
        simulated = validation.simulated
        error = validation.error
        residuals = validation.residuals
        warnings = validation.warnings
        assumptions = validation.run.assumptions
    }
}

/// The comparison as text.
private enum ValidationText {
    static func hostOverheadSource(_ profile: EngineProfile) -> String {
        profile.hostOverheadSource
            ?? (profile.stepTime.hostOverhead == 0 ? "none was given" : "the profile does not say")
    }

    static func table(_ validation: Validation) -> String {
        let (run, outcome, profile) = (validation.run, validation.outcome, validation.profile)
        var lines = [
            "\(profile.name), against \(run.folder)",
            "  \(run.requests.count) requests, \(outcome.steps) steps, \(outcome.preemptions) preemptions, "
                + "\(outcome.cachedTokens) prompt tokens from prefix caches, "
                + (run.engine.asyncScheduling ? "asynchronous" : "synchronous") + " scheduling",
            String(format: "  host overhead %.3f ms a step: ", profile.stepTime.hostOverhead / 1e6)
                + hostOverheadSource(profile),
            "",
            "           measured   simulated     error",
        ]
        let latencies: [(String, KeyPath<LatencySet, LatencyFigures>)] = [
            ("TTFT", \.ttft), ("TPOT", \.tpot), ("ITL ", \.itl), ("E2E ", \.e2e),
        ]
        let figures: [(String, KeyPath<LatencyFigures, Double>)] = [
            ("mean", \.mean), ("p50 ", \.p50), ("p90 ", \.p90), ("p99 ", \.p99),
        ]
        for (latency, path) in latencies {
            for (figure, figurePath) in figures {
                let whole = path.appending(path: figurePath)
                lines.append(
                    "\(latency) \(figure) \(seconds(validation.measured[keyPath: whole]))  "
                        + "\(seconds(validation.simulated[keyPath: whole]))  "
                        + String(format: "%+7.2f %%", validation.error[keyPath: whole]))
            }
        }
        lines += ["", "error of the mean by feature            requests      TTFT      TPOT       E2E"]
        for residual in validation.residuals {
            let name = "\(residual.feature) \(residual.range)".padding(toLength: 40, withPad: " ", startingAt: 0)
            lines.append(
                name + String(format: "%8d  %+7.2f %%", residual.requests, residual.ttft)
                    + (residual.tpot.map { String(format: "  %+6.2f %%", $0) } ?? "         –")
                    + String(format: "  %+6.2f %%", residual.e2e))
        }
        lines += [
            "", "TTFT and E2E count from when the engine took the request up, at a step boundary, on both sides.",
            "ITL: the run times each request's first and last token, so its gaps count as equal.",
        ]
        lines += run.assumptions
        return lines.joined(separator: "\n") + "\n"
    }

    private static func seconds(_ value: Double) -> String {
        value < 1 ? String(format: "%8.2f ms", value * 1000) : String(format: "%8.2f s ", value)
    }
}
