import Control
import EngineModel
import FleetModel
import Pricing
import Randomness
import Scaling
import Units
import Workload

/// How one run of a scenario differs from the scenario as written.
public struct RunOptions: Sendable {
    /// In place of the scenario's seed.
    public var seed: UInt64?
    /// 0 is the scenario's own traffic; each other number is another, independent draw of it.
    public var replication: Int
    /// Multiplies every step time of the fleet, but of no policy's own profile: 1.15 is a plant 15 % slower than believed.
    public var plantFactor: Double
    /// Step times of the plant by pool, in place of the profile's: what the fit's errors leave possible. Policies plan with
    /// the profile all the same.
    public var stepTimes: [PoolID: StepTimeCoefficients]
    /// Threads to play the pools on between two looks of the control loop. The result does not depend on them. At least 1.
    public var threads: Int
    /// Who hears of ticks and requests as they pass. Changes nothing of the result.
    public var tap = RunTap()

    public init(
        seed: UInt64? = nil, replication: Int = 0, plantFactor: Double = 1,
        stepTimes: [PoolID: StepTimeCoefficients] = [:], threads: Int = 1
    ) {
        self.seed = seed
        self.replication = replication
        self.plantFactor = plantFactor
        self.stepTimes = stepTimes
        self.threads = threads
    }
}

/// How far a run has come.
public struct RunProgress: Hashable, Sendable {
    /// Since the start.
    public var simulated: TimeSpan
    /// Requests that have arrived.
    public var requests: Int64

    public init(simulated: TimeSpan, requests: Int64) {
        self.simulated = simulated
        self.requests = requests
    }
}

/// What who watches a run wants of it.
public enum Continuation: Hashable, Sendable {
    case goOn
    /// No request arrives any more, the bill ends now, and what is in flight is followed to its end.
    case stop
}

/// Why a scenario could not be run.
public enum SimulationError: Error, Hashable, Sendable {
    /// A pool's offering has no price in the scenario's book.
    case unknownPrice(pool: PoolID, Offering)
    /// The usage could not be priced.
    case pricing(PricingError)
    /// The policy's parameters are not what the policy takes.
    case policy(PolicyErrors)
    /// The traffic of this name could not be read to its end.
    case trace(name: String, TraceFailure)
}

/// Plays a scenario against one policy.
public enum Simulation {
    /// Runs the scenario to the end of its last request.
    ///
    /// The result depends on the arguments alone: equal arguments give equal results, on any thread.
    ///
    /// - Parameter progress: Called at each control tick. When it says to stop, the result is that of the span until then,
    ///   and says so in `stoppedAt`.
    /// - Complexity: O(requests × log replicas), and memory in O(replicas + sequences in flight + timeline).
    public static func run(
        _ scenario: Scenario, policy: PolicyChoice, options: RunOptions = RunOptions(),
        progress: ((RunProgress) -> Continuation)? = nil
    ) throws(SimulationError) -> RunResult {
        var world = try FleetWorld(scenario, policy: policy, options: options)
        world.run(progress: progress)
        return try world.result()
    }
}
