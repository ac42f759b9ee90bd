import Simulation
import Statistics

/// Whether the intervals that Tidegate prints are true: how often they cover what they claim to, where that is known.
///
/// Each world is played a few times, as a user would, and an interval is made from those runs by the very functions that
/// reports use. The truth is the mean over many other runs of the same world. What is estimated is the expectation of
/// one run's figure: of its cost, of its TTFT p99, of its share of requests within the SLO.
public enum TrustStudy {
    /// The level of the intervals.
    public static let level = 0.9
    /// Runs behind an interval.
    public static let replications = 20
    /// Other runs behind the truth of a world.
    public static let referenceRuns = 128
    /// What the level may be off by, and the widest half-width in the median, as a share of the estimate.
    public static let acceptedCoverage = 0.88...0.92
    public static let acceptedHalfWidth = 0.15

    /// Plays the first `worlds` worlds of a seed. The outcome does not depend on `workers`.
    ///
    /// - Parameter progress: Called after each world with how many are done.
    public static func run(
        worlds: Int, seed: UInt64, workers: Int, progress: (@Sendable (Int) -> Void)? = nil
    ) async throws -> TrustOutcome {
        try await run(worlds: worlds, seed: seed, workers: workers, referenceRuns: referenceRuns, progress: progress)
    }

    /// - Parameter referenceRuns: At least 2.
    static func run(
        worlds: Int, seed: UInt64, workers: Int, referenceRuns: Int, progress: (@Sendable (Int) -> Void)? = nil
    ) async throws -> TrustOutcome {
        precondition(worlds >= 1, "there is no world to play")
        let trials = try await concurrentMap(worlds, workers: workers, progress: progress) { index in
            try trial(of: TrustWorld(seed: seed, index: index), referenceRuns: referenceRuns)
        }
        return TrustOutcome(
            seed: seed, worlds: worlds, requests: trials.reduce(0) { $0 + $1.requests },
            figures: HeadlineFigure.allCases.map { figure in
                TrustFigure(figure, trials.map { $0.results[figure.index] })
            })
    }

    /// One world: the interval of each figure beside the truth.
    struct Trial: Sendable {
        /// In the order of `HeadlineFigure`.
        var results: [Result]
        var requests: Int64

        struct Result: Hashable, Sendable {
            var interval: ConfidenceInterval
            var truth: ConfidenceInterval

            /// Where the truth lies: -1 below the interval, 0 inside, 1 above.
            ///
            /// The truth is an estimate itself, so the interval is widened by the truth's own half-width, in quadrature:
            /// independent errors add so. Without that, intervals that are right would seem to miss too often.
            var side: Int {
                let slack = truth.halfWidth
                // Runs that are all alike differ by rounding alone.
                let rounding = 1e-9 * truth.estimate.magnitude
                let below = (interval.estimate - interval.lower, slack)
                let above = (interval.upper - interval.estimate, slack)
                if truth.estimate < interval.estimate - root(below) - rounding { return -1 }
                return truth.estimate > interval.estimate + root(above) + rounding ? 1 : 0
            }

            private func root(_ parts: (Double, Double)) -> Double {
                (parts.0 * parts.0 + parts.1 * parts.1).squareRoot()
            }

            /// As a share of the estimate; `nil` when that is 0.
            var relativeHalfWidth: Double? {
                interval.estimate == 0 ? nil : interval.halfWidth / interval.estimate.magnitude
            }
        }
    }

    static func trial(of world: TrustWorld, referenceRuns: Int) throws -> Trial {
        var values: [[Double]] = []
        var arrived: [Int64] = []
        for replication in 0..<(replications + referenceRuns) {
            let run = try Simulation.run(
                world.scenario, policy: world.policy, options: RunOptions(replication: replication))
            values.append(HeadlineFigure.all(of: run))
            arrived.append(run.outcomes.arrived)
        }
        let results = HeadlineFigure.allCases.map { figure in
            let sample = values.prefix(replications).map { $0[figure.index] }
            let reference = values.dropFirst(replications).map { $0[figure.index] }
            let trials = Int(arrived.prefix(replications).reduce(0, +))
            let interval =
                figure == .attainment
                ? ConfidenceInterval.ofShare(sample, trials: trials, level: level)!
                : ConfidenceInterval.ofMean(sample, level: level)!
            return Trial.Result(interval: interval, truth: ConfidenceInterval.student(reference, level: level)!)
        }
        return Trial(results: results, requests: arrived.reduce(0, +))
    }
}

/// What a trust study found.
public struct TrustOutcome: Hashable, Sendable {
    public var seed: UInt64
    public var worlds: Int
    /// Requests simulated over all runs.
    public var requests: Int64
    public var figures: [TrustFigure]

    public var isTrusted: Bool { figures.allSatisfy { $0.problem == nil } }
}

/// How the intervals of one figure fared over all worlds.
public struct TrustFigure: Hashable, Sendable {
    public var figure: HeadlineFigure
    public var worlds: Int
    /// Worlds whose truth lies in the interval.
    public var covered: Int
    /// Worlds whose truth lies below or above it.
    public var below: Int
    public var above: Int
    /// The share covered, with its exact 95 % bounds (Clopper–Pearson).
    public var coverage: ConfidenceInterval
    /// Half the interval's width over the estimate: the median over worlds.
    public var medianHalfWidth: Double

    init(_ figure: HeadlineFigure, _ results: [TrustStudy.Trial.Result]) {
        self.figure = figure
        worlds = results.count
        let sides = results.map(\.side)
        covered = sides.count { $0 == 0 }
        below = sides.count { $0 < 0 }
        above = sides.count { $0 > 0 }
        coverage = BinomialInterval.clopperPearson(successes: covered, trials: worlds, level: 0.95)
        medianHalfWidth = quantile(of: results.compactMap(\.relativeHalfWidth).sorted(), 0.5) ?? 0
    }

    /// What is wrong with the intervals; `nil` when nothing is.
    ///
    /// From a thousand worlds on the share covered must itself be acceptable; with fewer, its bounds must leave room for an
    /// acceptable one, because a share of a few worlds says little.
    public var problem: String? {
        let accepted = TrustStudy.acceptedCoverage
        let isOutside =
            worlds >= 1000
            ? !accepted.contains(coverage.estimate)
            : coverage.upper < accepted.lowerBound || coverage.lower > accepted.upperBound
        if isOutside { return "covers the truth in \(covered) of \(worlds) worlds" }
        if medianHalfWidth > TrustStudy.acceptedHalfWidth { return "has intervals too wide to be of use" }
        return nil
    }
}
