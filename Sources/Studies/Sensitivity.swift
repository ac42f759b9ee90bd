import Simulation
import Statistics

/// What each field of a scenario does to the figures: one at a time, lower and higher, on the very same draws.
public struct Sensitivity: Hashable, Sendable {
    /// The scenario as written, by figure.
    public var base: [Estimate]
    /// In the order in which they were asked for.
    public var entries: [Entry]
    public var replications: Int

    public struct Entry: Hashable, Sendable {
        /// The field, as it was named.
        public var path: String
        public var low: Side
        public var high: Side

        /// How far the figure moves between the two sides and the scenario as written.
        public func swing(_ figure: HeadlineFigure) -> Double {
            let ends = [0, low.changes[figure.index].value, high.changes[figure.index].value]
            return ends.max()! - ends.min()!
        }
    }

    public struct Side: Hashable, Sendable {
        /// What was done to the field, such as `−10 %` or a value.
        public var label: String
        /// The figures with the change, and their differences from the scenario as written, paired by replication.
        public var values: [Estimate]
        public var changes: [Estimate]
    }

    /// A field with a scenario for each side of it.
    public struct Variation: Sendable {
        public var path: String
        public var low: (label: String, scenario: Scenario)
        public var high: (label: String, scenario: Scenario)

        public init(path: String, low: (label: String, scenario: Scenario), high: (label: String, scenario: Scenario)) {
            self.path = path
            self.low = low
            self.high = high
        }
    }

    /// Plays every variation with the random numbers of the scenario as written, so that differences are paired.
    ///
    /// - Parameters:
    ///   - policy: Of `base`, without anything left to tune; each variation plays its own policy of that label.
    ///   - replications: At least 1; from 2 on, differences have intervals.
    ///   - progress: Called after each run with how many have ended.
    public static func run(
        _ base: Scenario, policy: PolicyChoice, variations: [Variation], replications: Int, seed: UInt64?,
        workers: Int, progress: (@Sendable (Int) -> Void)? = nil
    ) async throws -> Sensitivity {
        precondition(replications >= 1, "a sensitivity needs a run")
        let scenarios = [base] + variations.flatMap { [$0.low.scenario, $0.high.scenario] }
        let figures = try await concurrentMap(scenarios.count * replications, workers: workers, progress: progress) {
            let scenario = scenarios[$0 / replications]
            let run = try Simulation.run(
                scenario, policy: scenario.counterpart(of: policy),
                options: RunOptions(seed: seed, replication: $0 % replications))
            return HeadlineFigure.all(of: run)
        }
        let varied = base.whatReplicationsVary
        func samples(_ scenario: Int, _ figure: HeadlineFigure) -> [Double] {
            (0..<replications).map { figures[scenario * replications + $0][figure.index] }
        }
        func side(_ label: String, _ scenario: Int) -> Side {
            Side(
                label: label,
                values: HeadlineFigure.allCases.map { Estimate(over: samples(scenario, $0), varied: varied) },
                changes: HeadlineFigure.allCases.map { figure in
                    Estimate(over: zip(samples(scenario, figure), samples(0, figure)).map { $0 - $1 }, varied: varied)
                })
        }
        return Sensitivity(
            base: HeadlineFigure.allCases.map { Estimate(over: samples(0, $0), varied: varied) },
            entries: variations.enumerated().map { index, variation in
                Entry(
                    path: variation.path, low: side(variation.low.label, 2 * index + 1),
                    high: side(variation.high.label, 2 * index + 2))
            },
            replications: replications)
    }
}

extension Scenario {
    /// This scenario's policy of the same label, with the parameter that tuning chose for the other.
    fileprivate func counterpart(of choice: PolicyChoice) -> PolicyChoice {
        guard var own = policies.first(where: { $0.label == choice.label }) else { return choice }
        if let tuning = own.tuning {
            own.parameters[tuning.parameter] = choice.parameters[tuning.parameter]
            own.tuning = nil
        }
        return own
    }
}
