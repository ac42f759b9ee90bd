import ArgumentParser
import Calibration
import EngineModel
import Formats
import Foundation

/// `tidegate study-profiles`: shipped profiles against measured operating points, and the coverage of a fit's intervals.
struct StudyProfiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study-profiles",
        abstract: "Hold profiles against measured operating points, and intervals against the truth.",
        shouldDisplay: false)

    @Argument(help: "Profiles.") var profiles: [String]
    @Option(help: "A table of operating points, as aiconfigurator's silicon_sample.csv.") var points: String
    @Option(help: "Tokens a step of those engines, which the sources do not say.") var batchedTokens = 8192
    @Option(
        help: ArgumentHelp(
            "Kernel grids, or a CSV file of batch times, that a profile was fitted to.", valueName: "DIR"))
    var steps: [String] = []
    @Option(help: "Refits for the coverage of intervals; 0 for none.") var refits = 400

    func validate() throws {
        guard refits >= 0, batchedTokens >= 1 else {
            throw ValidationError("--refits must not be negative, and --batched-tokens at least 1")
        }
    }

    func run() throws {
        let table = try OperatingPoint.read(path: points)
        for path in profiles {
            let profile = try EngineProfileFile.read(path: path)
            try printPoints(of: profile, among: table)
            if refits > 0 { try printCoverage(of: profile) }
        }
    }

    private func printPoints(of profile: EngineProfile, among table: [OperatingPoint]) throws {
        let chosen = table.filter { OperatingPointCheck.applies(profile, to: $0) }
        print("\(profile.name), \(profile.engine): \(chosen.count) points")
        guard !chosen.isEmpty else { return }
        let waiting = OperatingPointCheck.waitingClients(among: table, like: chosen[0])
        print("  requests without a place in the engine, by the growth of TTFT with the output: \(waiting)")
        print("  prompt output clients   TTFT ms measured simulated   error   TPOT ms measured simulated   error")
        var (ttft, tpot): ([Double], [Double]) = ([], [])
        for point in chosen {
            let check = try OperatingPointCheck(
                point, profile: profile, waiting: OperatingPointCheck.waitingClients(among: table, like: point),
                maxBatchedTokens: batchedTokens)
            ttft.append(check.ttftError.magnitude)
            tpot.append(check.tpotError.magnitude)
            print(
                String(
                    format: "  %6d %6d %7d   %16.1f %9.1f %+6.1f %%   %16.2f %9.2f %+6.1f %%  %@", point.promptTokens,
                    point.outputTokens, point.concurrency, point.ttft, check.ttft, check.ttftError, point.tpot,
                    check.tpot, check.tpotError, point.id as NSString))
        }
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        print(String(format: "  median error: TTFT %.1f %%, TPOT %.1f %%", median(ttft), median(tpot)))
    }

    // MARK: - Coverage

    /// How often intervals of coefficients that are fitted again hold the profile's own.
    private func printCoverage(of profile: EngineProfile) throws {
        var truth = profile.stepTime
        truth.hostOverhead = 0
        (truth.decode.perSkewToken, truth.mixed.perSkewToken) = (nil, nil)
        if let (path, samples) = try fittedSteps(of: profile) {
            try printCoverage(of: truth, to: samples, from: path)
            return
        }
        // Where the steps are not at hand, held-out errors say how far they were from the curve.
        let own = CoreCalibrator.design(of: profile)
        let deviation = own == nil ? 0.02 : profile.fit.medianAbsoluteError / 0.6745
        func coverage(_ hinges: IntervalCoverage.Hinges) throws -> IntervalCoverage {
            try IntervalCoverage(
                of: truth, at: own ?? IntervalCoverage.design, deviation: deviation, hinges: hinges, refits: refits)
        }
        let kept = try coverage(.kept)
        let design = own == nil ? "a general design" : "its own design"
        print(share(kept) + String(format: ": steps of %@, %.1f %% noise", design as NSString, 100 * deviation))
        for (name, share) in kept.shares { print(String(format: "    %5.1f %%  %@", 100 * share, name as NSString)) }
        printSearched(try coverage(.searched))
    }

    private func printCoverage(of truth: StepTimeCoefficients, to samples: [StepSample], from path: String) throws {
        let errors = try IntervalCoverage(of: truth, to: samples, drawing: .errors, refits: refits)
        // Of few steps some hold a coefficient alone: without them there is none.
        let steps = try? IntervalCoverage(of: truth, to: samples, drawing: .steps, refits: refits)
        let source = URL(filePath: path).lastPathComponent
        print(share(errors) + ": its own \(samples.count) steps (\(source)), their errors drawn again")
        print(
            steps.map { share($0) + ": whole steps drawn again (second column)" }
                ?? "  whole steps cannot be drawn again: a coefficient hangs on a single one")
        let others = Dictionary(uniqueKeysWithValues: (steps?.shares ?? []).map { ($0.name, $0.share) })
        for (name, share) in errors.shares {
            let other = others[name].map { String(format: "%5.1f %%  ", 100 * $0) } ?? ""
            print(String(format: "    %5.1f %%  %@%@", 100 * share, other as NSString, name as NSString))
        }
        printSearched(
            try IntervalCoverage(of: truth, to: samples, drawing: .errors, hinges: .searched, refits: refits))
    }

    private func share(_ coverage: IntervalCoverage) -> String {
        String(
            format: "  95 %% intervals of %d refits hold the truth in %.1f %% of cases", coverage.refits,
            100 * coverage.share)
    }

    private func printSearched(_ coverage: IntervalCoverage) {
        print(
            String(
                format: "  hinges searched again: the same ones in %d of %d refits; %.1f %% held", coverage.bentAlike,
                coverage.refits, 100 * coverage.share))
    }

    /// The steps that the profile was fitted to, where `--steps` has them.
    private func fittedSteps(of profile: EngineProfile) throws -> (path: String, samples: [StepSample])? {
        for path in steps {
            guard let samples = try Self.steps(of: profile, in: path) else { continue }
            let (found, known) = (try StepTimeFit(samples).coefficients, profile.stepTime)
            for (name, coefficient) in StepTimeCoefficients.fitted where !isTied(name, in: profile) {
                let (a, b) = (found[keyPath: coefficient], known[keyPath: coefficient])
                guard abs(a - b) <= 1e-6 * max(abs(a), abs(b)) else {
                    throw ValidationError(
                        "\(profile.name) was not fitted to the steps of \(path): \(name) is \(b) there, and \(a) here: "
                            + "calibrate it again")
                }
            }
            return (path, samples)
        }
        return nil
    }

    /// Whether a mixed step's coefficient was taken from decode-only steps, because no step holds both.
    private func isTied(_ name: String, in profile: EngineProfile) -> Bool {
        profile.fit.standardErrors[name] == nil && profile.fit.covariance?.names.contains(name) == true
    }

    private static func steps(of profile: EngineProfile, in path: String) throws -> [StepSample]? {
        if path.hasSuffix(".csv") {
            let rows = try SplitwiseRow.read(path: path).filter {
                $0.model == profile.model && $0.hardware == profile.hardware
                    && $0.tensorParallel == profile.acceleratorsPerReplica
            }
            guard !rows.isEmpty else { return nil }
            return try SplitwiseCalibration(
                rows, model: profile.model, hardware: profile.hardware,
                tensorParallel: profile.acceleratorsPerReplica, kvTokens: profile.kvTokens,
                maxContext: profile.maxContext
            ).fittedSteps
        }
        let tables = try LayerTables.read(folder: path)
        guard tables.meta.gpu == profile.hardware, tables.meta.model == profile.model else { return nil }
        var options = LayerTableCalibration.Options()
        options.kvTokens = profile.kvTokens
        options.tensorParallel = profile.acceleratorsPerReplica
        return try LayerTableCalibration(tables, options).fittedSteps()
    }
}
