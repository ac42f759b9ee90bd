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

    /// Steps across the profile's range, timed with 2 % noise and fitted again.
    private func printCoverage(of profile: EngineProfile) throws {
        var truth = profile.stepTime
        truth.hostOverhead = 0
        (truth.decode.perSkewToken, truth.mixed.perSkewToken) = (nil, nil)
        let coverage = try IntervalCoverage(
            of: truth, at: IntervalCoverage.design, deviation: 0.02, refits: refits)
        print(
            String(
                format: "  95 %% intervals of %d refits hold the truth in %.1f %% of cases", refits,
                100 * coverage.share))
        for (name, share) in coverage.shares {
            print(String(format: "    %5.1f %%  %@", 100 * share, name as NSString))
        }
    }
}
