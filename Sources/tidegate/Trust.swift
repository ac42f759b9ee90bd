import ArgumentParser
import Formats
import Foundation
import Studies

/// `tidegate trust`: intervals against truths that are known.
struct Trust: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count how often the intervals that Tidegate prints cover the truth.",
        discussion: """
            Draws small random worlds: engines, traffic, targets and a policy that resizes one pool. In each, \
            \(TrustStudy.replications) runs give 90 % intervals of the cost, the TTFT p99 and the SLO attainment of a run, \
            by the method of every report, and \(TrustStudy.referenceRuns) other runs give the truth. The truth's own error \
            is allowed for.

            EXAMPLES
              tidegate trust
              tidegate trust --worlds 200 --seed 7 --json

            Exits with 1 when an interval covers the truth in fewer than 88 or more than 92 of 100 worlds (with fewer than
            1000 worlds: when that is certain at 95 %), or is wider than 15 % of the estimate in the median.
            """)

    @Option(help: "How many worlds to play.")
    var worlds = 2000
    @Option(help: "Which worlds: another seed draws others.")
    var seed: UInt64 = 2026
    @Option(help: "Worlds at a time; as many as there are processors without it. Results do not depend on it.")
    var workers = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the outcome as JSON on standard output, and nothing else there.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws {
        guard worlds >= 1, workers >= 1 else { throw ValidationError("--worlds and --workers must be at least 1") }
    }

    func run() async throws {
        let console = Console(isQuiet: quiet)
        let total = worlds
        let outcome = try await TrustStudy.run(worlds: worlds, seed: seed, workers: workers) { done in
            console.progress("trust", share: Double(done) / Double(total), detail: "\(done) of \(total) worlds")
        }
        console.finishProgress()
        if json {
            print(try CanonicalJSON.encode(TrustDocument(outcome)), terminator: "")
        } else {
            print(text(of: outcome))
        }
        for figure in outcome.figures {
            if let problem = figure.problem {
                console.alert("error: the interval of \(figure.figure.title) \(problem)")
            }
        }
        if !outcome.isTrusted { throw ExitCode(1) }
    }

    private func text(of outcome: TrustOutcome) -> String {
        var lines = [
            "\(outcome.worlds) worlds of seed \(outcome.seed); 90 % intervals from \(TrustStudy.replications) runs each, "
                + "truth from \(TrustStudy.referenceRuns) others",
            "figure          covered   in 100 (95 % bounds)      truth below, above   median half-width",
        ]
        for figure in outcome.figures {
            let coverage = figure.coverage
            func share(_ count: Int) -> Double { 100 * Double(count) / Double(figure.worlds) }
            lines.append(
                String(
                    format: "%@ %7d   %5.1f (%.1f to %.1f)    %8.1f, %.1f in 100   %9.1f %%",
                    figure.figure.title.padding(toLength: 15, withPad: " ", startingAt: 0) as NSString, figure.covered,
                    100 * coverage.estimate, 100 * coverage.lower, 100 * coverage.upper, share(figure.below),
                    share(figure.above), 100 * figure.medianHalfWidth))
        }
        return lines.joined(separator: "\n")
    }
}

/// The outcome as JSON.
private struct TrustDocument: Encodable {
    var worlds: Int
    var seed: UInt64
    var level = TrustStudy.level
    var replications = TrustStudy.replications
    var referenceRuns = TrustStudy.referenceRuns
    var requests: Int64
    var trusted: Bool
    var figures: [String: Figure]

    struct Figure: Encodable {
        var covered: Int
        var truthBelow: Int
        var truthAbove: Int
        var coverage: Double
        var coverage95: [Double]
        var medianRelativeHalfWidth: Double

        enum CodingKeys: String, CodingKey {
            case covered, coverage
            case truthBelow = "truth_below"
            case truthAbove = "truth_above"
            case coverage95 = "coverage_ci95"
            case medianRelativeHalfWidth = "median_relative_half_width"
        }
    }

    enum CodingKeys: String, CodingKey {
        case worlds, seed, level, replications, requests, trusted, figures
        case referenceRuns = "reference_runs"
    }

    init(_ outcome: TrustOutcome) {
        worlds = outcome.worlds
        seed = outcome.seed
        requests = outcome.requests
        trusted = outcome.isTrusted
        figures = [:]
        for figure in outcome.figures {
            figures[figure.figure.rawValue] = Figure(
                covered: figure.covered, truthBelow: figure.below, truthAbove: figure.above,
                coverage: figure.coverage.estimate, coverage95: [figure.coverage.lower, figure.coverage.upper],
                medianRelativeHalfWidth: figure.medianHalfWidth)
        }
    }
}
