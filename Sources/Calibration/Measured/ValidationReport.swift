import EngineModel
import Formats
import Foundation

/// What `validate --json` prints; latencies are in seconds.
public struct ValidationDocument: Encodable {
    fileprivate struct Host: Encodable {
        var microseconds: Double
        var source: String

        enum CodingKeys: String, CodingKey {
            case microseconds = "per_step_us"
            case source
        }
    }
    fileprivate struct Run: Encodable {
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

    private var profile: String
    private var measuredRun: String
    private var hostOverhead: Host
    private var simulatedRun: Run
    private var measured: LatencySet
    private var simulated: LatencySet
    private var error: LatencySet
    private var residuals: [Validation.Residual]
    private var warnings: [String]
    private var assumptions: [String]

    enum CodingKeys: String, CodingKey {
        case profile, measured, simulated, warnings, assumptions
        case measuredRun = "measured_run"
        case hostOverhead = "host_overhead"
        case simulatedRun = "simulated_run"
        case error = "error_percent"
        case residuals = "residuals_percent"
    }

    public init(_ validation: Validation) {
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
public enum ValidationText {
    static func hostOverheadSource(_ profile: EngineProfile) -> String {
        profile.hostOverheadSource
            ?? (profile.stepTime.hostOverhead == 0 ? "none was given" : "the profile does not say")
    }

    public static func table(_ validation: Validation) -> String {
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
            "",
            run.clock == .engine
                ? "TTFT and E2E count from when the engine took the request up, at a step boundary, on both sides."
                : "TTFT and E2E count from when the client sent the request, on both sides.",
        ]
        if !run.knowsGaps {
            lines.append("ITL: the run times each request's first and last token, so its gaps count as equal.")
        }
        lines += run.assumptions
        return lines.joined(separator: "\n") + "\n"
    }

    private static func seconds(_ value: Double) -> String {
        value < 1 ? String(format: "%8.2f ms", value * 1000) : String(format: "%8.2f s ", value)
    }
}
