import Simulation
import Synchronization
import Units

/// One run of a study: which policy, on which draw of the scenario.
public struct RunPlan: Sendable {
    public var policy: PolicyChoice
    public var options: RunOptions

    public init(policy: PolicyChoice, options: RunOptions = RunOptions()) {
        self.policy = policy
        self.options = options
    }
}

/// How far a study has come.
public struct StudyProgress: Hashable, Sendable {
    /// Runs that have ended, of how many.
    public var ended: Int
    public var total: Int
    /// Simulated time done over all runs, as a share. Range: 0...1.
    public var share: Double
    /// Requests simulated so far, over all runs.
    public var requests: Int64
}

/// Plays runs in parallel, each on its own value of the world, and returns their results in the order of the plans.
///
/// The results do not depend on `workers`.
///
/// - Parameters:
///   - workers: Runs at a time. At least 1.
///   - progress: Called from any thread, once a simulated hour of each run and at its end.
/// - Throws: The first plan's error, where one fails; runs under way are finished first.
public func runAll(
    _ plans: [RunPlan], of scenario: Scenario, workers: Int, progress: (@Sendable (StudyProgress) -> Void)? = nil
) async throws -> [RunResult] {
    precondition(workers >= 1, "a study needs a worker")
    // Processors that runs leave over play the pools of one run side by side.
    let threads = max(1, workers / max(1, plans.count))
    let board = ProgressBoard(runs: plans.count, duration: scenario.duration, report: progress)
    return try await withThrowingTaskGroup(of: (Int, RunResult).self) { group in
        var results: [RunResult?] = Array(repeating: nil, count: plans.count)
        var next = 0
        func start() {
            guard next < plans.count else { return }
            let index = next
            next += 1
            var options = plans[index].options
            options.threads = threads
            group.addTask { [options] in
                let result = try Simulation.run(scenario, policy: plans[index].policy, options: options) {
                    board.update(run: index, simulated: $0, requests: $1)
                }
                board.end(run: index, requests: result.outcomes.arrived)
                return (index, result)
            }
        }
        for _ in 0..<workers { start() }
        while let (index, result) = try await group.next() {
            results[index] = result
            start()
        }
        return results.map { $0! }
    }
}

/// Adds up the progress of runs on several threads.
private final class ProgressBoard: Sendable {
    private struct Run {
        var share = 0.0
        var requests: Int64 = 0
        var hasEnded = false
    }

    private let runs: Mutex<[Run]>
    private let duration: TimeSpan
    private let report: (@Sendable (StudyProgress) -> Void)?

    init(runs count: Int, duration: TimeSpan, report: (@Sendable (StudyProgress) -> Void)?) {
        runs = Mutex(Array(repeating: Run(), count: count))
        self.duration = duration
        self.report = report
    }

    func update(run: Int, simulated: TimeSpan, requests: Int64) {
        set(run, to: Run(share: min(1, simulated.seconds / duration.seconds), requests: requests))
    }

    func end(run: Int, requests: Int64) { set(run, to: Run(share: 1, requests: requests, hasEnded: true)) }

    private func set(_ run: Int, to state: Run) {
        guard let report else { return }
        let progress = runs.withLock { runs in
            runs[run] = state
            return StudyProgress(
                ended: runs.reduce(0) { $0 + ($1.hasEnded ? 1 : 0) }, total: runs.count,
                share: runs.reduce(0) { $0 + $1.share } / Double(max(1, runs.count)),
                requests: runs.reduce(0) { $0 + $1.requests })
        }
        report(progress)
    }
}
