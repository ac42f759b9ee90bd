import FleetModel
import Pricing
import Simulation
import Statistics
import Units

/// One world's account of the same traffic.
public struct RehearsalSide: Sendable {
    public var arrived: Int
    public var completed: Int
    public var rejected: Int
    public var failed: Int
    public var ttft: LatencyHistogram
    public var itl: LatencyHistogram
    public var e2e: LatencyHistogram
    /// Of completed requests.
    public var outputTokens: Int
    public var cost: USD
    public var resizes: [RehearsalResize]
    /// Replicas that became ready after the start, and how long each took.
    public var coldStarts: [TimeSpan]
}

/// A level that was applied, and when after the start.
public struct RehearsalResize: Hashable, Sendable, Encodable {
    public var after: TimeSpan
    public var pool: PoolID
    public var from: Int
    public var to: Int

    public init(after: TimeSpan, pool: PoolID, from: Int, to: Int) {
        self.after = after
        self.pool = pool
        self.from = from
        self.to = to
    }
}

/// A live run beside simulations of the same arrivals, and whether they agree.
///
/// - *Plant*: with the live resizes played again, the simulated fleet serves as the real one did.
/// - *Control*: left to itself, the simulated controller makes the same resizes.
public struct Rehearsal: Sendable {
    public var live: RehearsalSide
    /// The simulation left to itself.
    public var simulated: RehearsalSide
    /// The simulation with the live run's resizes.
    public var replayed: RehearsalSide
    public var tick: TimeSpan
    /// The most by which means may differ, as a fraction.
    public var meanTolerance: Double

    public static let meanTolerance = 0.03
    public static let tailTolerance = 0.1
    public static let costTolerance = 0.01

    public init(
        live: RehearsalSide, simulated: RehearsalSide, replayed: RehearsalSide, tick: TimeSpan,
        meanTolerance: Double = Rehearsal.meanTolerance
    ) {
        self.live = live
        self.simulated = simulated
        self.replayed = replayed
        self.tick = tick
        self.meanTolerance = meanTolerance
    }

    /// A figure of both worlds.
    public struct Figure: Hashable, Sendable {
        public var name: String
        public var live: Double
        public var simulated: Double
        /// What the verdict allows, as a fraction; `nil` where it does not ask.
        public var tolerance: Double?

        /// (simulated − live) / live; `nil` where nothing was live.
        public var difference: Double? {
            live == 0 ? (simulated == 0 ? 0 : nil) : (simulated - live) / live
        }

        public var isWithin: Bool {
            guard let tolerance else { return true }
            return difference.map { $0.magnitude <= tolerance } ?? false
        }
    }

    /// Figures of the live run beside those of `other`.
    public func figures(against other: RehearsalSide) -> [Figure] {
        var figures: [Figure] = []
        let latencies: [(String, KeyPath<RehearsalSide, LatencyHistogram>, isJudged: Bool)] = [
            ("ttft", \.ttft, true), ("itl", \.itl, true), ("e2e", \.e2e, false),
        ]
        for (name, path, isJudged) in latencies {
            let (a, b) = (live[keyPath: path], other[keyPath: path])
            figures.append(
                Figure(
                    name: "\(name)_mean", live: a.mean?.seconds ?? 0, simulated: b.mean?.seconds ?? 0,
                    tolerance: isJudged ? meanTolerance : nil))
            for (label, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
                figures.append(
                    Figure(
                        name: "\(name)_\(label)", live: a.quantile(q)?.seconds ?? 0,
                        simulated: b.quantile(q)?.seconds ?? 0,
                        tolerance: isJudged && label == "p99" ? Self.tailTolerance : nil))
            }
        }
        func add(_ name: String, _ value: (RehearsalSide) -> Double, tolerance: Double? = nil) {
            figures.append(Figure(name: name, live: value(live), simulated: value(other), tolerance: tolerance))
        }
        add("cost", { Double($0.cost.nanodollars) / 1e9 }, tolerance: Self.costTolerance)
        add("arrived", { Double($0.arrived) })
        add("completed", { Double($0.completed) })
        add("rejected", { Double($0.rejected) })
        add("failed", { Double($0.failed) })
        add("output_tokens", { Double($0.outputTokens) })
        add("cold_starts", { Double($0.coldStarts.count) })
        return figures
    }

    /// Whether the simulated fleet serves as the real one, given the same levels.
    public var isPlantEqual: Bool { figures(against: replayed).allSatisfy(\.isWithin) }

    /// Whether the simulated controller made the same resizes of each pool in the same order, each within one tick.
    public var isControlEqual: Bool {
        resizes.allSatisfy { live, simulated in
            live.count == simulated.count
                && zip(live, simulated).allSatisfy { a, b in
                    a.to == b.to && TimeSpan(nanoseconds: abs((a.after - b.after).nanoseconds)) <= tick
                }
        }
    }

    /// The resizes of both worlds, pool by pool in order of their names.
    var resizes: [(live: [RehearsalResize], simulated: [RehearsalResize])] {
        Set((live.resizes + simulated.resizes).map(\.pool)).sorted { $0.name < $1.name }.map { pool in
            (live.resizes.filter { $0.pool == pool }, simulated.resizes.filter { $0.pool == pool })
        }
    }
}

extension RehearsalSide {
    /// What a simulation has to say.
    init(_ result: RunResult) {
        self.init(
            arrived: Int(result.outcomes.arrived), completed: Int(result.outcomes.completed),
            rejected: Int(result.outcomes.rejected), failed: Int(result.outcomes.failed), ttft: result.ttft,
            itl: result.itl, e2e: result.e2e, outputTokens: Int(result.outputTokens), cost: result.bill.total,
            resizes: result.decisions.filter { $0.from != $0.applied }.map {
                RehearsalResize(after: $0.time - result.start, pool: $0.pool, from: $0.from, to: $0.applied)
            }, coldStarts: [])
    }
}
