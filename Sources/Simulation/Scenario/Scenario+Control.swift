import Control
import EngineModel
import FleetModel
import Scaling
import Units

/// What a controller is made of, in both worlds.
extension Scenario {
    /// The policy with everything it needs, its own engine profiles included: the ones as measured, not the plant.
    ///
    /// - Throws: What is wrong with its parameters.
    public func policy(_ choice: PolicyChoice) throws(PolicyErrors) -> any ScalingPolicy {
        try PolicyCatalog.policy(named: choice.policy, parameters: choice.parameters, engines: poolModels)
    }

    public var observedPools: [ObservedPool] { pools.map { ObservedPool(id: $0.id, bounds: $0.bounds) } }

    public var guardLimits: GuardLimits {
        GuardLimits(
            maximumAdded: control.maxStepUp, maximumRemoved: control.maxStepDown,
            spendingCeiling: control.spendingCeiling, staleness: control.staleness,
            restartWindow: control.restartWindow)
    }

    func controlLoop(_ policy: any ScalingPolicy) -> ControlLoop {
        ControlLoop(
            observer: Observer(pools: observedPools, window: control.window, staleness: control.staleness),
            policy: policy, limits: guardLimits)
    }

    /// What a planning policy believes of each pool: the profile as measured, with the tightest promise of the classes.
    var poolModels: [String: PoolModel] {
        var models: [String: PoolModel] = [:]
        for pool in pools {
            let limits = ReplicaLimits(
                kvTokens: Int64(pool.batcher.totalBlocks * pool.batcher.blockSize),
                maxSequences: Int64(pool.batcher.maxSequences),
                maxBatchedTokens: Int64(pool.batcher.maxBatchedTokens))
            models[pool.id.name] = PoolModel(
                stepTime: pool.profile.stepTime, limits: limits, ttft: sloClasses.compactMap(\.ttft).min(),
                tpot: sloClasses.compactMap(\.tpot).min())
        }
        return models
    }
}
