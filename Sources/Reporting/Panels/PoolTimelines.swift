import FleetModel
import Simulation
import Units

extension RunResult {
    /// The timeline of each pool, in the result's order of pools.
    var poolTimelines: [(pool: PoolID, rows: [TimelineRow])] {
        pools.map { pool in (pool.id, timeline.filter { $0.pool == pool.id }) }
    }
}

extension TimelineRow {
    func perSecond(_ count: Int64) -> Double { span > .zero ? Double(count) / span.seconds : 0 }
    var requestsPerSecond: Double { perSecond(arrived) }
    /// In milliseconds; `nil` when no first token fell in the interval.
    var meanTTFT: Double? { firstTokens > 0 ? ttftSum.milliseconds / Double(firstTokens) : nil }
}
