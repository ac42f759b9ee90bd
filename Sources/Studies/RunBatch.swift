import Simulation

/// One run of a study: which policy, on which draw of the scenario.
public struct RunPlan: Sendable {
    public var policy: PolicyChoice
    public var options: RunOptions

    public init(policy: PolicyChoice, options: RunOptions = RunOptions()) {
        self.policy = policy
        self.options = options
    }
}

/// A study that was stopped before it had a result.
public struct StudyStopped: Error {
    /// The first of its runs, whole or partial; `nil` when it is of no use, as while tuning.
    public var first: RunResult?
    public var interruption: Interruption
}

/// How much of a study was done when it was stopped.
public struct Interruption: Hashable, Sendable {
    /// Runs that went to their end, of how many.
    public var ended: Int
    public var planned: Int

    public init(ended: Int, planned: Int) {
        self.ended = ended
        self.planned = planned
    }

    /// `nil` when every run is there and whole.
    public init?(_ runs: [RunResult?]) {
        let ended = runs.count { $0.map { $0.stoppedAt == nil } ?? false }
        guard ended < runs.count else { return nil }
        self.init(ended: ended, planned: runs.count)
    }
}

/// Plays runs in parallel, each on its own value of the world, and returns their results in the order of the plans.
///
/// The results do not depend on `workers`.
///
/// - Parameters:
///   - workers: Runs at a time. At least 1.
///   - progress: Called from any thread, at each control tick of each run and at its end.
/// - Throws: The first plan's error, where one fails; runs under way are finished first. `StudyStopped` when `progress`
///   stopped a run.
public func runAll(
    _ plans: [RunPlan], of scenario: Scenario, workers: Int,
    progress: (@Sendable (StudyProgress) -> Continuation)? = nil
) async throws -> [RunResult] {
    let results = try await runUntilStopped(plans, of: scenario, workers: workers, progress: progress)
    if let interruption = Interruption(results) { throw StudyStopped(interruption: interruption) }
    return results.map { $0! }
}

/// The same; once `progress` has said to stop, runs under way are ended as they are and no more are begun.
///
/// - Returns: For each plan its result, which is partial where it says so, or `nil` where it was not begun. The first
///   plan always has one.
public func runUntilStopped(
    _ plans: [RunPlan], of scenario: Scenario, workers: Int,
    progress: (@Sendable (StudyProgress) -> Continuation)? = nil
) async throws -> [RunResult?] {
    precondition(workers >= 1, "a study needs a worker")
    // Processors that runs leave over play the pools of one run side by side.
    let threads = max(1, workers / max(1, plans.count))
    let board = ProgressBoard(runs: plans.count, duration: scenario.duration, report: progress)
    return try await withThrowingTaskGroup(of: (Int, RunResult).self) { group in
        var results: [RunResult?] = Array(repeating: nil, count: plans.count)
        var next = 0
        func start() {
            guard next < plans.count, next == 0 || !board.isStopped else { return }
            let index = next
            next += 1
            var options = plans[index].options
            options.threads = threads
            group.addTask { [options] in
                let result = try Simulation.run(scenario, policy: plans[index].policy, options: options) {
                    board.update(run: index, $0)
                }
                if result.stoppedAt == nil { board.end(run: index, requests: result.outcomes.arrived) }
                return (index, result)
            }
        }
        for _ in 0..<workers { start() }
        while let (index, result) = try await group.next() {
            results[index] = result
            start()
        }
        return results
    }
}
