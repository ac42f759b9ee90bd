import EngineModel
import FleetModel
import Randomness
import Simulation
import Statistics

extension Uncertainty {
    /// Draws traffic, step times and demand anew, together and one in place of the other, and splits the variance.
    ///
    /// Policies plan with the profile as it is, whatever the plant is drawn to be.
    ///
    /// - Parameters:
    ///   - policy: Without anything left to tune.
    ///   - draws: Pairs of independent draws, at least 8: five runs each, fewer where a source has nothing to draw.
    ///   - progress: Called after each run with how many have ended, of how many.
    public static func run(
        _ scenario: Scenario, policy: PolicyChoice, draws: Int, seed: UInt64?, workers: Int,
        progress: (@Sendable (Int, Int) -> Void)? = nil
    ) async throws -> Uncertainty {
        precondition(draws >= 8, "a split of \(draws) draws says nothing")
        let world = DrawnWorld(scenario, policy: policy, seed: seed)
        let active = Source.allCases.map { world.varies($0) }
        // A point is the number of the draw that each source takes: those below `draws` are A, the others B.
        var points: [[Int]] = []
        for draw in 0..<draws {
            let (plain, other) = ([draw, draw, draw], [draw + draws, draw + draws, draw + draws])
            points += [plain, other]
            for source in Source.allCases where active[source.index] {
                var swapped = plain
                swapped[source.index] = other[source.index]
                points.append(swapped)
            }
        }
        let total = points.count
        let plan = points
        let ended: @Sendable (Int) -> Void = { progress?($0, total) }
        let figures = try await concurrentMap(total, workers: workers, progress: ended) {
            try world.figures(at: plan[$0])
        }
        let stride = total / draws
        let streams = RandomStreams(seed: seed ?? scenario.seed)
        return Uncertainty(
            figures: HeadlineFigure.allCases.map { figure in
                let rows = (0..<draws).map { draw -> PickFreeze.Row in
                    let values = (0..<stride).map { figures[draw * stride + $0][figure.index] }
                    var rest = values.dropFirst(2).makeIterator()
                    return PickFreeze.Row(
                        plain: values[0], other: values[1],
                        swapped: active.map { $0 ? rest.next()! : values[0] })
                }
                let values = rows.flatMap { [$0.plain, $0.other] }.sorted()
                let shares = PickFreeze.shares(rows, active: active)
                let intervals = PickFreeze.intervals(
                    rows, active: active, generator: streams.generator("uncertainty-bootstrap", figure.rawValue))
                return Figure(
                    figure: figure, mean: values.reduce(0, +) / Double(values.count),
                    range: Estimate.Bounds(lower: quantile(of: values, 0.025)!, upper: quantile(of: values, 0.975)!),
                    shares: zip(shares, intervals).map { Share(value: $0, interval: $1) })
            },
            draws: draws, runs: total, notes: world.notes)
    }
}

/// A scenario whose traffic, step times and demand can each be drawn.
private struct DrawnWorld: Sendable {
    private let scenario: Scenario
    private let policy: PolicyChoice
    private let seed: UInt64?
    private let streams: RandomStreams

    init(_ scenario: Scenario, policy: PolicyChoice, seed: UInt64?) {
        self.scenario = scenario
        self.policy = policy
        self.seed = seed
        streams = RandomStreams(seed: seed ?? scenario.seed)
    }

    func varies(_ source: Uncertainty.Source) -> Bool {
        switch source {
        case .sampling: true
        case .calibration: scenario.pools.contains { CalibrationDraw($0.profile) != nil }
        case .demand: scenario.sources.contains { $0.evidence != nil }
        }
    }

    /// The figures of the run that takes these draws of sampling, calibration and demand.
    func figures(at point: [Int]) throws -> [Double] {
        var stepTimes: [PoolID: StepTimeCoefficients] = [:]
        for pool in scenario.pools {
            stepTimes[pool.id] = CalibrationDraw(pool.profile)?
                .stepTime(point[Uncertainty.Source.calibration.index], streams: streams)
        }
        var world = scenario
        world.sources = scenario.sources.map {
            $0.drawn(point[Uncertainty.Source.demand.index], streams: streams)
        }
        // Replication 0 is the scenario's own traffic; a trace is resampled from 1 on.
        let run = try Simulation.run(
            world, policy: policy,
            options: RunOptions(
                seed: seed, replication: 1 + point[Uncertainty.Source.sampling.index], stepTimes: stepTimes))
        return HeadlineFigure.all(of: run)
    }

    var notes: [String] {
        var notes: [String] = []
        for pool in scenario.pools {
            let name = pool.profile.name
            guard let draw = CalibrationDraw(pool.profile) else {
                notes.append("The profile '\(name)' states no errors: its step times are taken as exact.")
                continue
            }
            if !draw.hasCovariance {
                notes.append(
                    "The profile '\(name)' does not say how its errors go together: they are drawn as independent, which "
                        + "overstates the calibration's share where they compensate each other.")
            }
        }
        for source in scenario.sources where source.evidence == nil {
            notes.append(
                "Traffic '\(source.name)' does not say what it was estimated from: its parameters are taken as exact.")
        }
        for trace in scenario.traces {
            notes.append("Traffic '\(trace.name)' is a trace, resampled in blocks of time: all of that is sampling.")
        }
        return notes.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
