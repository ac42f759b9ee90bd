import FleetModel
import Units

/// A rented machine, and what its replicas did since its charge period began.
struct SimulatedNode {
    let name: String
    /// When the machine is handed over and charging begins.
    let launched: Instant
    var replicas = 0
    /// The start of the charge period under way.
    var periodStart: Instant
    var tally: UsageTally

    init(name: String, launched: Instant, tenants: Int) {
        self.name = name
        self.launched = launched
        periodStart = launched
        tally = UsageTally(tenants: tenants)
    }
}

/// Times and tokens of one node's replicas over one charge period.
struct UsageTally {
    var busy = TimeSpan.zero
    var idle = TimeSpan.zero
    var starting = TimeSpan.zero
    var draining = TimeSpan.zero
    var promptTokens: [Int64]
    var outputTokens: [Int64]
    var requests: [Int64]

    init(tenants: Int) {
        promptTokens = Array(repeating: 0, count: tenants)
        outputTokens = promptTokens
        requests = promptTokens
    }
}
