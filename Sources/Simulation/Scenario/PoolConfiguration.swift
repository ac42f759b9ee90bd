import EngineModel
import FleetModel
import Serving
import Units

/// A pool of the simulated fleet: its engine, the machines it runs on and the rules at its door.
public struct PoolConfiguration: Sendable {
    public var id: PoolID
    /// The plant: what replicas really take. A policy has its own profile, which may differ.
    public var profile: EngineProfile
    public var batcher: BatcherConfiguration
    public var offering: Offering
    /// Replicas that fit on one instance: its accelerators over those of a replica.
    public var replicasPerInstance: Int
    public var coldStart: ColdStart
    public var bounds: ReplicaBounds
    /// Replicas that are ready when the run starts.
    public var initialReplicas: Int
    public var router: RouterKind
    /// A request is refused when every ready replica has this many waiting; while none is ready, the gateway holds as many.
    public var maxWaitingPerReplica: Int
    /// How long a draining replica may finish what it runs.
    public var drainDeadline: TimeSpan

    public init(
        id: PoolID, profile: EngineProfile, batcher: BatcherConfiguration, offering: Offering,
        replicasPerInstance: Int, coldStart: ColdStart, bounds: ReplicaBounds, initialReplicas: Int,
        router: RouterKind, maxWaitingPerReplica: Int, drainDeadline: TimeSpan
    ) {
        self.id = id
        self.profile = profile
        self.batcher = batcher
        self.offering = offering
        self.replicasPerInstance = replicasPerInstance
        self.coldStart = coldStart
        self.bounds = bounds
        self.initialReplicas = initialReplicas
        self.router = router
        self.maxWaitingPerReplica = maxWaitingPerReplica
        self.drainDeadline = drainDeadline
    }
}
