import FleetModel
import Foundation
import Simulation
import Units

extension LocalPool {
    /// What a pool is told.
    public struct Configuration: Sendable {
        var pool: Terms
        /// Of one machine; `nil` when no price book knows it.
        public var price: USDPerHour?
        public var tenantCount: Int
        /// Where the pool's state and its workers' logs lie.
        public var folder: String
        /// Whether the first replicas skip their cold start, as the simulator's do.
        public var startsWarm = false
        /// Whether it is in the scenario no more: nobody is started, and who is there finishes and goes.
        var isRetired = false
        /// With it workers end when this process does; without it they go on for the next controller.
        var lifeline: Lifeline?
        /// How often a pool whose workers end with it says that it is there: what is killed with it is billed until it last did.
        var sightings = TimeSpan.minutes(1)
        /// The program and arguments of a worker.
        ///
        /// - Parameter readyAt: When its cold start is to end, on the monotonic clock; `nil` for as soon as it can.
        public var command: @Sendable (_ replica: ReplicaID, _ readyAt: Instant?) -> [String]

        public init(
            pool: PoolConfiguration, price: USDPerHour?, tenantCount: Int, folder: String,
            command: @escaping @Sendable (_ replica: ReplicaID, _ readyAt: Instant?) -> [String]
        ) {
            self.pool = Terms(pool)
            self.price = price
            self.tenantCount = tenantCount
            self.folder = folder
            self.command = command
        }
    }

    /// A replica's life as it was lived.
    public struct PhaseChange: Hashable, Sendable {
        public enum Change: Hashable, Sendable {
            case started, ready, draining
            case gone(TerminationReason)
        }
        public var time: Instant
        public var replica: ReplicaID
        public var change: Change
    }

    /// What a pool of processes must know of the scenario.
    struct Terms: Sendable {
        var id: PoolID
        var offering: Offering
        var replicasPerInstance: Int
        var coldStart: ColdStart
        /// The level to begin with.
        var initialReplicas: Int
        var drainDeadline: TimeSpan

        init(_ pool: PoolConfiguration) {
            (id, offering, replicasPerInstance) = (pool.id, pool.offering, pool.replicasPerInstance)
            (coldStart, initialReplicas, drainDeadline) = (pool.coldStart, pool.initialReplicas, pool.drainDeadline)
        }
    }
}
