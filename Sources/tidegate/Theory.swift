import ArgumentParser
import Foundation
import Statistics
import Studies

/// `tidegate theory`: the simulator against queues that are solved.
struct Theory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare the simulator with queues that are solved.",
        discussion: """
            Plays queues through the ordinary batcher and prints what was measured beside the closed form: the mean wait
            in M/M/1, M/M/4, M/M/8 (Erlang C), M/D/1 and M/G/1 (Pollaczek–Khinchine; lognormal service, cv 1.5) and
            M/M/4/6, and the share turned away in M/M/4/6 and in M/G/8/8 (Erlang loss). With several seeds it counts how
            often the 99 % interval misses, which should happen in 1 of 100.

            EXAMPLES
              tidegate theory
              tidegate theory --loads 0.9
              tidegate theory --loads 0.9 --seeds 20 --effort 1
              tidegate theory --seeds 200 --effort 1 --queues M/M/8,M/G/1

            Exits with 1 when the half-width, in the mean over seeds, is 3 % of the exact value or more (at an effort from
            1 on), Little's law does not hold exactly, or the misses do not agree with 1 % (two-sided binomial test,
            p < 0.01).
            """)

    /// A list in one word, such as `0.5,0.8`.
    struct Words: ExpressibleByArgument {
        var words: [String]
        var defaultValueDescription: String { words.joined(separator: ",") }

        init(_ words: [String]) { self.words = words }
        init?(argument: String) { words = argument.split(separator: ",").map(String.init) }
    }

    @Option(help: "How many independent intervals to make of each case.")
    var seeds = 1
    @Option(help: "Multiplies the requests of each run: 1 makes half-widths of 2.8 %, 4 half of that.")
    var effort = 2.0
    @Option(help: ArgumentHelp("Offered loads per server, of 0.5, 0.8 and 0.9.", valueName: "list"))
    var loads = Words(["0.5", "0.8"])
    @Option(help: ArgumentHelp("Only these queues, such as M/M/8,M/G/1; all without it.", valueName: "list"))
    var queues: Words?
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
        for word in loads.words where !QueueingCase.loads.contains(where: { Double(word) == $0 }) {
            throw ValidationError("--loads takes 0.5, 0.8 and 0.9, with commas between, and not '\(word)'")
        }
        let names = Set(QueueingCase.all(load: 0.5).map(\.name))
        for word in queues?.words ?? [] where !names.contains(word) {
            throw ValidationError("no queue is called '\(word)': there are \(names.sorted().joined(separator: ", "))")
        }
        guard !loads.words.isEmpty, queues?.words.isEmpty != true else {
            throw ValidationError("--loads and --queues take at least one")
        }
    }

    /// In the order of the table: each queue at its loads.
    private var cases: [QueueingCase] {
        let perLoad = loads.words.map { QueueingCase.all(load: Double($0)!) }
        return perLoad[0].indices.flatMap { index in perLoad.map { $0[index] } }
            .filter { queues?.words.contains($0.name) ?? true }
    }

    func run() async throws {
        let console = Console(isQuiet: quiet)
        let cases = cases
        var outcomes: [[QueueingOutcome]] = []
        for (index, queue) in cases.enumerated() {
            var ofCase: [QueueingOutcome] = []
            for offset in 0..<seeds {
                ofCase.append(
                    try await play(
                        queue, seed: seed &+ UInt64(offset), requests: Int(effort * Double(queue.requestsPerRun)),
                        workers: workers))
                let done = Double(index * seeds + offset + 1) / Double(cases.count * seeds)
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
        print("queue    load  measured     exact  simulated, 99 % interval        half-width  misses")
        for ofCase in outcomes {
            let queue = ofCase[0].queue
            let misses = ofCase.count { !$0.isCovered }
            let width = ofCase.reduce(0) { $0 + $1.relativeHalfWidth } / Double(ofCase.count)
            let first = ofCase[0].measured
            print(
                String(
                    format: "%-7@  %4.1f  %-8@  %8.6f  %.6f [%.6f, %.6f]  %8.2f %%  %d of %d", queue.name as NSString,
                    queue.load, (queue.quantity == .wait ? "wait, s" : "blocked") as NSString, queue.exact,
                    first.estimate, first.lower, first.upper, 100 * width, misses, ofCase.count))
            let title = "\(queue.name) at load \(queue.load), \(queue.quantity.rawValue)"
            if effort >= 1, width >= 0.03 {
                problems.append("\(title): half-width of 3 % or more")
            }
            if !ofCase.allSatisfy(\.isLittleExact) { problems.append("\(title): Little's law does not hold") }
            let p = binomialTwoSidedPValue(successes: misses, trials: ofCase.count, probability: 0.01)
            if p < 0.01 {
                problems.append("\(title): \(misses) of \(ofCase.count) intervals miss, p = \(p)")
            }
        }
        return problems
    }
}
