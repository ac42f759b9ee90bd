import ArgumentParser
import Foundation
import Studies

/// `tidegate study-size`: how near `size` comes to trying everything, and how many runs it saves.
struct StudySize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study-size",
        abstract: "Measure the search of `size` against an exhaustive one on small drawn cases.",
        discussion: """
            Prints a row a case: the cost found over the exhaustive search's, and the share of its runs. Exits with 1 when
            an answer is more than 2 % dearer, or the search takes more than 10 % of the runs over all cases.
            """,
        shouldDisplay: false)

    @Option(help: "The first case.") var first = 1
    @Option(help: "How many cases.") var cases = 50
    @Option(help: "The accepted probability of missing the SLO, in percent.") var risk = 5.0
    @Option(help: "Draws that decide.") var draws: Int?
    @Flag(help: "Print the table of each search too.") var table = false
    @Option(help: "Runs at a time.") var workers = ProcessInfo.processInfo.activeProcessorCount

    func validate() throws {
        guard first >= 0, cases >= 1, workers >= 1, (draws ?? 1) >= 1, risk > 0, risk < 100 else {
            throw ValidationError("--cases, --draws and --workers must be at least 1, and --risk between 0 and 100")
        }
    }

    func run() async throws {
        let rule = SizingRule(risk: risk / 100, draws: draws)
        print(
            "risk \(risk) %, \(rule.draws) draws\ncase  candidates  runs of all   share   cost/best  answer | exhaustive"
        )
        var (runs, all, worst, wrong) = (0, 0, 0.0, 0)
        for number in first..<first + cases {
            let scenario = SizingCases.scenario(seed: UInt64(number))
            let full = try await ExhaustiveSizing.run(scenario, rule: rule, workers: workers)
            let found = try await SizingStudy.run(scenario, rule: rule, confirms: false, workers: workers)
            runs += found.runs
            all += full.runs
            var ratio: Double?
            if let answer = found.answer, let best = full.answer { ratio = answer.cost.value / best.cost }
            if (found.answer == nil) != (full.answer == nil) { wrong += 1 }
            worst = max(worst, ratio ?? 1)
            print(
                String(
                    format: "%4d  %10d  %5d %6d  %5.1f %%  %@  %@ | %@", number, found.candidates, found.runs,
                    full.runs,
                    100 * Double(found.runs) / Double(full.runs),
                    (ratio.map { String(format: "%9.4f", $0) } ?? "     none") as NSString,
                    (found.answer?.name ?? "none") as NSString, (full.answer?.name ?? "none") as NSString))
            if table { print(SizingText(found).text) }
        }
        let share = Double(runs) / Double(all)
        print(
            String(
                format: "%d cases: %d of %d runs (%.2f %%), largest cost ratio %.4f, %d without the other's answer",
                cases, runs, all, 100 * share, worst, wrong))
        if worst > 1.02 || share > 0.1 || wrong > 0 { throw ExitCode(1) }
    }
}
