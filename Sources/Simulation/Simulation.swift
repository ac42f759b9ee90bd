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

    public init(
        seed: UInt64? = nil, replication: Int = 0, plantFactor: Double = 1,
        stepTimes: [PoolID: StepTimeCoefficients] = [:]
    ) {
        self.seed = seed
        self.replication = replication
        self.plantFactor = plantFactor
        self.stepTimes = stepTimes
    }
}

/// Why a scenario could not be run.
public enum SimulationError: Error, Hashable, Sendable {
    /// A pool's offering has no price in the scenario's book.
    case unknownPrice(pool: PoolID, Offering)
    /// The usage could not be priced.
    case pricing(PricingError)
    /// The policy's parameters are not what the policy takes.
    case policy(PolicyErrors)
}

/// Plays a scenario against one policy.
public enum Simulation {
    /// Runs the scenario to the end of its last request.
    ///
    /// The result depends on the arguments alone: equal arguments give equal results, on any thread.
    ///
    /// - Parameter progress: Called once a simulated hour with the simulated time and the requests so far.
    /// - Complexity: O(requests × log replicas), and memory in O(replicas + sequences in flight + timeline).
    public static func run(
        _ scenario: Scenario, policy: PolicyChoice, options: RunOptions = RunOptions(),
        progress: ((TimeSpan, Int64) -> Void)? = nil
    ) throws(SimulationError) -> RunResult {
        var world = try FleetWorld(scenario, policy: policy, options: options)
        world.run(progress: progress)
        return try world.result()
    }
}
