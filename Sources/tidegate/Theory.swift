import ArgumentParser
import Foundation
import Statistics
import Studies

/// `tidegate theory`: the simulator against queues that are solved.
struct Theory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare the simulator with queues whose mean wait is known exactly.",
        discussion: """
            Plays M/M/1, M/M/4 and M/D/1 at loads 0.5 and 0.8 through the ordinary batcher and prints the mean wait beside
            its closed form. With several seeds it counts how often the 99 % interval misses, which should happen in
            1 of 100.

            EXAMPLES
              tidegate theory
              tidegate theory --seeds 200 --effort 1

            Exits with 1 when the half-width, in the mean over seeds, is 3 % of the wait or more (at an effort from 1 on),
            Little's law does not hold exactly, or the misses do not agree with 1 % (two-sided binomial test, p < 0.01).
            """)

    @Option(help: "How many independent intervals to make of each case.")
    var seeds = 1
    @Option(help: "Multiplies the requests of each run: 1 makes half-widths of 2.8 %, 4 half of that.")
    var effort = 2.0
    @Option(help: "The first seed.")
    var seed: UInt64 = 1
    @Option(help: "Runs at a time; as many as there are processors without it.")
    var workers = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws {
        guard seeds >= 1, workers >= 1, effort > 0 else {
            throw ValidationError("--seeds and --workers must be at least 1, and --effort positive")
        }
    }

    func run() async throws {
        let console = Console(isQuiet: quiet)
        var outcomes: [[QueueingOutcome]] = []
        for (index, queue) in QueueingCase.all.enumerated() {
            var ofCase: [QueueingOutcome] = []
            for offset in 0..<seeds {
                ofCase.append(
                    try await play(
                        queue, seed: seed &+ UInt64(offset), requests: Int(effort * Double(queue.requestsPerRun)),
                        workers: workers))
                let done = Double(index * seeds + offset + 1) / Double(QueueingCase.all.count * seeds)
                console.progress("theory", share: done, detail: "\(queue.name) at load \(queue.load)")
            }
            outcomes.append(ofCase)
        }
        console.finishProgress()
        let problems = report(outcomes)
        if !problems.isEmpty {
            for problem in problems { console.say("error: \(problem)") }
            throw ExitCode(1)
        }
    }

    /// Prints the table and returns what is wrong.
    private func report(_ outcomes: [[QueueingOutcome]]) -> [String] {
        var problems: [String] = []
        print("queue  load  exact wait s   simulated, 99 % interval        half-width  misses")
        for ofCase in outcomes {
            let queue = ofCase[0].queue
            let misses = ofCase.count { !$0.isCovered }
            let width = ofCase.reduce(0) { $0 + $1.relativeHalfWidth } / Double(ofCase.count)
            print(
                String(
                    format: "%-6@ %4.1f  %12.6f   %.6f [%.6f, %.6f]  %8.2f %%  %d of %d", queue.name as NSString,
                    queue.load,
                    queue.exactWait, ofCase[0].wait.estimate, ofCase[0].wait.lower, ofCase[0].wait.upper, 100 * width,
                    misses, ofCase.count))
            if effort >= 1, width >= 0.03 {
                problems.append("\(queue.name) at load \(queue.load): half-width of 3 % or more")
            }
            if !ofCase.allSatisfy(\.isLittleExact) { problems.append("\(queue.name): Little's law does not hold") }
            let p = binomialTwoSidedPValue(successes: misses, trials: ofCase.count, probability: 0.01)
            if p < 0.01 {
                problems.append(
                    "\(queue.name) at load \(queue.load): \(misses) of \(ofCase.count) intervals miss, p = \(p)")
            }
        }
        return problems
    }
}
