import FleetModel
import NIOCore
import Units

/// A request of the scenario's traffic, ready to be sent: what it is, when it is due, and its bytes.
struct LoadRequest: Sendable {
    /// Its number among those of the load, from 0.
    var number: Int
    /// When it is due, after the start of the load.
    var offset: TimeSpan
    var arrival: Arrival
    /// Head and body, as they go over the wire.
    var bytes: ByteBuffer
}
