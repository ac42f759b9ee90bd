import ArgumentParser
import Commands
import Formats
import Foundation
import Reporting
import Simulation
import Store
import Studies
import Units

/// Writes what a study yielded: the files, the record in the store, and what the user sees.
struct Results {
    let content: ReportContent
    let arguments: StudyArguments
    let console: Console
    /// When the command began, and how long the runs took.
    let startedAt: Date
    let wallSeconds: Double
    /// Requests of all runs of the study.
    let requests: Int64

    /// Finds out before the runs whether their files could be written.
    static func check(_ arguments: StudyArguments) throws(OutputError) {
        try AtomicOutput.check(ResultFiles.names, in: arguments.output)
    }

    /// Writes every file of the output folder, or none.
    func write() throws {
        let summary: String
        do {
            summary = try CanonicalJSON.encode(summaryDocument(speed: nil))
        } catch {
            preconditionFailure("a result that cannot be written: \(error)")
        }
        try ResultFiles.write(content, summary: summary, to: arguments.output, console: console)
        try record(summary: summary)
    }

    /// Prints the summary as JSON with the speed of the runs.
    func printJSON() throws {
        let speed = RunSpeed(wallSeconds: wallSeconds, requestsPerWallSecond: Double(requests) / max(wallSeconds, 1e-9))
        print(try CanonicalJSON.encode(summaryDocument(speed: speed)), terminator: "")
    }

    /// Tells a user who asked for a precision that the replications allowed did not reach it.
    ///
    /// - Throws: The exit code for it.
    func checkPrecision() throws {
        guard let precision = content.precision, !precision.isReached else { return }
        let widths = precision.widths.filter { !$0.isReached }.map {
            String(format: "%@ of %@ ± %.1f %%", $0.headline.name, $0.policy, 100 * $0.relativeHalfWidth)
        }
        console.alert(
            """
            error: \(precision.replications) replications do not reach the precision asked for: \
            \(widths.joined(separator: "; "))
                everything is written; allow more with --max-replications, or ask for less with --precision
            """)
        throw ExitCode.notReached
    }

    private func summaryDocument(speed: RunSpeed?) -> SummaryDocument {
        var summary = RunSummary(
            content.result, estimates: content.estimates, batches: content.batches, precision: content.precision,
            partial: content.partial)
        summary.run = speed
        return SummaryDocument(
            summary: summary, comparison: content.comparison,
            whatIf: WhatIfDocument(sensitivity: content.sensitivity, uncertainty: content.uncertainty))
    }

    private func record(summary: String) throws {
        guard let path = arguments.storePath else { return }
        let folder = URL(filePath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let store = try RunStore(path: path)
            let result = content.result
            try store.record(
                RunRecord(
                    startedAt: Instant(nanoseconds: Int64(startedAt.timeIntervalSince1970 * 1000) * 1_000_000),
                    scenario: result.scenario, policy: result.policy, policyDigest: result.policyFile.digest,
                    seed: result.seed, replications: content.estimates?.replications ?? 1,
                    fingerprint: result.fingerprint, cost: result.bill.total,
                    outputFolder: URL(filePath: arguments.output).standardizedFileURL.path, version: Version.current,
                    summary: summary))
            try store.close()
        } catch {
            // The files are written; only the record is missing.
            console.alert("\(path): warning: the run is not recorded: \(error)")
        }
    }
}

/// The files of a result, of a simulation and of a live period alike.
enum ResultFiles {
    static let names = ["report.html", "bill.csv", "timeline.csv", "policy.json", "summary.json"]

    /// Writes all of them, or none.
    ///
    /// - Throws: The exit code for output that cannot be written; why is printed.
    static func write(_ content: ReportContent, summary: String, to folder: String, console: Console) throws {
        let result = content.result
        let policy: String
        do {
            policy = try CanonicalJSON.encode(result.policyFile)
        } catch {
            preconditionFailure("a policy that cannot be written: \(error)")
        }
        try console.writing {
            try AtomicOutput.write(
                [
                    ("report.html", ReportPage(content).text),
                    ("bill.csv", BillFile(result, weights: content.scenario.allocation).text),
                    ("timeline.csv", TimelineFile(result).text), ("policy.json", policy), ("summary.json", summary),
                ], to: folder)
        }
    }
}

/// A summary, and beside it the comparison it came out of.
private struct SummaryDocument: Encodable {
    var summary: RunSummary
    var comparison: Comparison?
    var whatIf: WhatIfDocument

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        try whatIf.encode(to: encoder)
        guard let comparison else { return }
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(comparison.rows.map(Row.init), forKey: .policies)
        try container.encodeIfPresent(comparison.clairvoyant.map(Clairvoyant.init), forKey: .clairvoyant)
        try container.encode(comparison.differences.map(DifferenceEntry.init), forKey: .differences)
        try container.encode(DifferenceText.sentences(comparison), forKey: .findings)
    }

    private enum Key: String, CodingKey { case policies, clairvoyant, differences, findings }

    private struct Clairvoyant: Encodable {
        var boundUSD: Estimate
        var planUSD: Estimate
        var assumptions: [String]

        init(_ cost: ClairvoyantCost) {
            boundUSD = cost.cost
            planUSD = cost.planCost
            assumptions = cost.assumptions
        }

        enum CodingKeys: String, CodingKey {
            case assumptions
            case boundUSD = "bound_usd"
            case planUSD = "plan_usd"
        }
    }

    private struct Row: Encodable {
        var policy: String
        var rank: Int?
        var digest: String
        var totalUSD: Estimate
        var attainment: Estimate
        var ttftP99: Estimate
        var itlP99: Estimate
        var meanReplicas: Estimate
        var aboveBest: Estimate?
        var overClairvoyant: Estimate?
        var variants: [Variant]

        init(_ row: ComparisonRow) {
            policy = row.policy
            rank = row.rank
            digest = row.policyDigest
            totalUSD = row.cost
            attainment = row.attainment
            ttftP99 = row.ttftP99
            itlP99 = row.itlP99
            meanReplicas = row.meanReplicas
            aboveBest = row.costAboveBest
            overClairvoyant = row.costOverClairvoyant
            variants = row.variants.map(Variant.init)
        }

        enum CodingKeys: String, CodingKey {
            case policy, rank, digest, attainment, variants
            case totalUSD = "total_usd"
            case ttftP99 = "ttft_p99_ms"
            case itlP99 = "itl_p99_ms"
            case meanReplicas = "replicas_mean"
            case aboveBest = "usd_above_best"
            case overClairvoyant = "cost_over_clairvoyant"
        }
    }

    private struct Variant: Encodable {
        var factor: Double
        var rank: Int?
        var totalUSD: Estimate
        var attainment: Estimate

        init(_ variant: PlantVariant) {
            factor = variant.factor
            rank = variant.rank
            totalUSD = variant.cost
            attainment = variant.attainment
        }

        enum CodingKeys: String, CodingKey {
            case rank, attainment
            case factor = "plant_factor"
            case totalUSD = "total_usd"
        }
    }

    private struct DifferenceEntry: Encodable {
        var policy: String
        var reference: String
        var measure: Headline
        var verdict: String
        /// Why there is no interval.
        var reason: String?
        /// Whether the difference also holds among all that were looked at.
        var holdsJointly: Bool
        var difference: Estimate?
        var ratio: Estimate?

        init(_ difference: PolicyDifference) {
            policy = difference.policy
            reference = difference.reference
            measure = difference.headline
            self.difference = difference.difference
            ratio = difference.ratio
            holdsJointly = difference.verdict == .different(jointly: true)
            switch difference.verdict {
            case .different: verdict = "different"
            case .indistinguishable: verdict = "not distinguishable"
            case .same: verdict = "same"
            case .unknown(let why):
                verdict = "unknown"
                reason = why
            }
        }

        enum CodingKeys: String, CodingKey {
            case policy, reference, measure, verdict, reason, difference, ratio
            case holdsJointly = "holds_jointly"
        }
    }
}
