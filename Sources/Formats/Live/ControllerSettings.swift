import Control
import FleetModel
import Units

/// How a controller listens and leads: the section `controller` of a live configuration.
public struct ControllerSettings: Hashable, Sendable {
    /// Where its status page, metrics and an operator's verbs are.
    public var listen = ListenAddress(host: "127.0.0.1", port: 8082)
    /// How long a leader may be silent before another takes over.
    public var lease = TimeSpan.seconds(10)
    /// The name of a Lease in the cluster that the controller runs in; `nil` leads by a locked file.
    public var clusterLease: String?
    /// A file with the token that the gateway's admin interface wants; `nil` where it wants none.
    public var gatewayTokenFile: String?
    /// Mutual TLS with the gateway's admin interface and with the workers of a cluster.
    public var tls: TLSFileNames?
    /// When a tenant is taken for an abuser; `nil` watches nobody.
    public var abuse: TenantWatchRules? = TenantWatchRules()
    public var alarms = AlarmLimits()

    public init() {}
}

/// What carries out a pool's orders: an entry of the section `pools`.
public enum ActuatorSettings: Hashable, Sendable {
    /// Worker processes on this machine; with a model they compute it, else they take the times of the pool's profile.
    case local(model: String?, threads: Int?)
    /// A program of the user's.
    case command(apply: [String], status: [String]?, deadline: TimeSpan)
    /// A workload of the cluster that the controller runs in, whose pods serve on a port.
    case kubernetes(resource: String, name: String, port: Int)
}
