import Control
import EngineModel
import FleetModel
import Scaling
import Simulation
import Units

extension Controller {
    /// What a controller is told.
    public struct Configuration: Sendable {
        public var control: ControlConfiguration
        public var limits: GuardLimits
        public var pools: [ObservedPool]
        /// As it starts, without memory.
        public var policy: any ScalingPolicy
        /// Where the journal and the lease lie.
        public var folder: String
        /// What the journal's first line says of who wrote it.
        public var origin: String
        /// Whether it acts; otherwise it only watches.
        public var isActive: Bool
        /// The gateway's admin interface, and the token that it wants.
        public var gateway: LoadTarget
        public var gatewayToken: String?
        /// For the gateway's admin interface, and for replicas with an `https` URL.
        public var tls: TLSMaterial?
        public var lease = TimeSpan.seconds(10)
        public var version = "0"
        /// Whether the journal of a day is put aside when the day is over.
        public var hasDailyJournals = true
        /// When a tenant is taken for an abuser; `nil` watches nobody.
        public var abuse: TenantWatchRules?
        public var alarms = AlarmLimits()
        /// What the engines' steps should take; pools that are left out have no such alarm.
        public var stepTimes: [PoolID: StepTimeCoefficients] = [:]
        /// Whether ticks begin by themselves; otherwise `start(at:)` says when.
        public var startsByItself = true
        /// Told when it begins to lead, stands by or has lost leadership.
        public var onLeadership: @Sendable (Leadership) -> Void = { _ in }

        public init(
            control: ControlConfiguration, limits: GuardLimits, pools: [ObservedPool], policy: any ScalingPolicy,
            folder: String, origin: String, isActive: Bool, gateway: LoadTarget, gatewayToken: String? = nil
        ) {
            self.control = control
            self.limits = limits
            self.pools = pools
            self.policy = policy
            self.folder = folder
            self.origin = origin
            self.isActive = isActive
            self.gateway = gateway
            self.gatewayToken = gatewayToken
        }
    }

    /// How a controller stands to the others.
    public enum Leadership: Hashable, Sendable {
        case leads(epoch: Int)
        /// Another leads: who, where that is known.
        case standsBy(leader: String?)
        case lost(reason: String)
    }

    /// A level as it was applied.
    public struct AppliedResize: Hashable, Sendable {
        public var pool: PoolID
        /// Of the tick that decided it.
        public var time: Instant
        public var from: Int
        public var to: Int
    }
}
