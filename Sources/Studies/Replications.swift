import Simulation
import Statistics

/// How many replications a study makes.
public enum ReplicationCount: Hashable, Sendable {
    /// At least 1.
    case exactly(Int)
    /// As many as the precision of every headline takes.
    case until(SequentialPrecision)

    var fewest: Int {
        switch self {
        case .exactly(let count): count
        case .until(let precision): precision.minimum
        }
    }

    var most: Int {
        switch self {
        case .exactly(let count): count
        case .until(let precision): precision.maximum
        }
    }
}

/// A policy, and the plant it is tried on.
public struct PolicyOnPlant: Sendable {
    public var policy: PolicyChoice
    /// Step time of the plant over that of the profile.
    public var plantFactor: Double
    /// Whether each of its runs tells what hindsight would have paid for the traffic.
    var findsClairvoyant = false

    public init(_ policy: PolicyChoice, plantFactor: Double = 1) {
        self.policy = policy
        self.plantFactor = plantFactor
    }
}

/// Policies over the same draws of the traffic.
public struct Replications: Sendable {
    /// Replication 0 of each policy on its plant, with all that a run yields: what files and reports are made of.
    public var first: [RunResult]
    /// By policy on its plant, then replication. All have the same number.
    ///
    /// Of replications that were stopped, those that every policy played to its end; when there is none, the first
    /// policies alone, with replication 0 of each that came before one that did not.
    public var figures: [[RunFigures]]
    /// `nil` where the number of replications was given.
    public var precision: PrecisionOutcome?
    /// What was left undone when they were stopped; `nil` when there are as many as were asked for.
    public var interruption: Interruption?

    public var count: Int { figures[0].count }

    /// Plays replications 0, 1, 2, … of every policy in parallel, until there are enough.
    ///
    /// Whether there are enough is asked of replications 0 to n, for each n in turn and whatever ended first, so the
    /// number does not depend on `workers`; what other workers began beyond it is ended and thrown away.
    ///
    /// - Parameters:
    ///   - policies: At least one.
    ///   - seed: In place of the scenario's.
    ///   - workers: Runs at a time. At least 1.
    ///   - tap: Who hears of the first policy's replication 0 as it goes.
    ///   - progress: As for `runAll`. When it says to stop, runs under way are ended as they are and no more are begun.
    /// - Throws: The error of a run that fails; runs under way are finished first. `StudyStopped` when `progress` stopped
    ///   the first run.
    public static func play(
        _ policies: [PolicyOnPlant], of scenario: Scenario, count: ReplicationCount, seed: UInt64? = nil,
        workers: Int, tap: RunTap = RunTap(), progress: (@Sendable (StudyProgress) -> Continuation)? = nil
    ) async throws -> Replications {
        precondition(!policies.isEmpty && workers >= 1 && count.fewest >= 1, "replications need a policy and a run")
        let fewest = count.fewest * policies.count
        // Processors that runs leave over play the pools of one run side by side.
        let threads = max(1, workers / fewest)
        let board = ProgressBoard(runs: fewest, duration: scenario.duration, report: progress)
        return try await withThrowingTaskGroup(of: Played.self) { group in
            var collected = Collected(policies: policies.count, count: count)
            var next = 0
            func start() {
                guard next < count.most * policies.count, collected.enough == nil, next == 0 || !board.isStopped else {
                    return
                }
                let run = next
                next += 1
                group.addTask {
                    let (replication, policy) = run.quotientAndRemainder(dividingBy: policies.count)
                    var options = RunOptions(
                        seed: seed, replication: replication, plantFactor: policies[policy].plantFactor,
                        threads: threads)
                    if run == 0 { options.tap = tap }
                    return try Played(run, policies[policy], of: scenario, options: options, board: board)
                }
            }
            for _ in 0..<workers { start() }
            while collected.enough == nil, let played = try await group.next() {
                collected.take(played)
                start()
            }
            board.stop()
            return try collected.replications(planned: max(next, fewest))
        }
    }
}

/// Whether a study came as near to the truth as it was asked to.
public struct PrecisionOutcome: Hashable, Sendable {
    public var asked: SequentialPrecision
    public var replications: Int
    /// False when the most replications allowed were not enough.
    public var isReached: Bool
    /// Half the 95 % interval over the estimate, by policy and headline; without those that some run could not measure.
    public var widths: [Width]

    public struct Width: Hashable, Sendable {
        public var policy: String
        public var headline: Headline
        public var relativeHalfWidth: Double
        public var isReached: Bool
    }

    /// The widths after the first `replications` runs of each policy. Fewer than the rule looks at reach nothing.
    init(_ asked: SequentialPrecision, figures: [[RunFigures]]) {
        self.asked = asked
        replications = figures[0].count
        widths = figures.flatMap { runs in
            Headline.allCases.compactMap { headline in
                let values = runs.compactMap { $0.value(headline.path) }
                guard values.count == runs.count, let interval = ConfidenceInterval.student(values, level: 0.95) else {
                    return nil
                }
                return Width(
                    policy: runs[0].policy, headline: headline,
                    relativeHalfWidth: interval.halfWidth == 0 ? 0 : interval.halfWidth / interval.estimate.magnitude,
                    isReached: asked.isReached(by: interval))
            }
        }
        isReached = replications >= asked.minimum && widths.allSatisfy(\.isReached)
    }

    /// The headline that is furthest from its precision; `nil` when nothing could be measured.
    public var widest: Width? { widths.max { $0.relativeHalfWidth < $1.relativeHalfWidth } }
}

/// A run that has ended.
private struct Played: Sendable {
    /// Replication × policies + policy.
    var run: Int
    /// `nil` for a run that was stopped.
    var figures: RunFigures?
    /// With all that a run yields, for replication 0 alone; partial for a run that was stopped.
    var result: RunResult?

    /// Plays it.
    init(
        _ run: Int, _ policy: PolicyOnPlant, of scenario: Scenario, options: RunOptions, board: ProgressBoard
    ) throws {
        let result = try Simulation.run(scenario, policy: policy.policy, options: options) {
            board.update(run: run, $0)
        }
        self.run = run
        if options.replication == 0 { self.result = result }
        guard result.stoppedAt == nil else { return }
        var figures = RunFigures(result)
        if policy.findsClairvoyant { figures.clairvoyant = ClairvoyantFigures(result, of: scenario) }
        self.figures = figures
        board.end(run: run, requests: result.outcomes.arrived)
    }
}

/// Runs as they end, in any order, and the replications that are complete, in theirs.
private struct Collected {
    let policies: Int
    let count: ReplicationCount
    /// Runs of replications that are not complete.
    private var ended: [Int: RunFigures] = [:]
    private var endedRuns = 0
    private var first: [RunResult?]
    private var figures: [[RunFigures]]
    private var precision: PrecisionOutcome?
    /// The number of replications, once they are enough.
    private(set) var enough: Int?

    init(policies: Int, count: ReplicationCount) {
        self.policies = policies
        self.count = count
        first = Array(repeating: nil, count: policies)
        figures = Array(repeating: [], count: policies)
    }

    mutating func take(_ played: Played) {
        if let result = played.result { first[played.run] = result }
        guard let figures = played.figures else { return }
        ended[played.run] = figures
        endedRuns += 1
        while enough == nil, let row = nextRow() {
            for policy in 0..<policies { self.figures[policy].append(row[policy]) }
            judge()
        }
    }

    /// The next replication, when all of its runs have ended.
    private mutating func nextRow() -> [RunFigures]? {
        let start = figures[0].count * policies
        let row = (start..<start + policies).compactMap { ended[$0] }
        guard row.count == policies else { return nil }
        for run in start..<start + policies { ended[run] = nil }
        return row
    }

    private mutating func judge() {
        let replications = figures[0].count
        var isEnough = replications == count.most
        if case .until(let asked) = count {
            let outcome = PrecisionOutcome(asked, figures: figures)
            precision = outcome
            isEnough = isEnough || outcome.isReached
        }
        if isEnough { enough = replications }
    }

    /// - Parameter planned: Runs that were to be played, as far as was known when it ended.
    func replications(planned: Int) throws(StudyStopped) -> Replications {
        if enough != nil {
            return Replications(first: first.map { $0! }, figures: figures, precision: precision)
        }
        let interruption = Interruption(ended: endedRuns, planned: planned)
        if !figures[0].isEmpty {
            return Replications(
                first: first.map { $0! }, figures: figures, precision: precision, interruption: interruption)
        }
        let leading = (0..<policies).prefix { ended[$0] != nil }
        guard !leading.isEmpty else { throw StudyStopped(first: first[0], interruption: interruption) }
        return Replications(
            first: leading.map { first[$0]! }, figures: leading.map { [ended[$0]!] }, interruption: interruption)
    }
}
