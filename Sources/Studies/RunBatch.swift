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
    let board = ProgressBoard(runs: plans.count, duration: scenario.duration, report: progress)
    return try await withThrowingTaskGroup(of: (Int, RunResult).self) { group in
        var results: [RunResult?] = Array(repeating: nil, count: plans.count)
        var next = 0
        func start() {
            guard next < plans.count else { return }
            let index = next
            next += 1
            group.addTask {
                let result = try Simulation.run(scenario, policy: plans[index].policy, options: plans[index].options) {
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
