import FleetModel
import Units

/// How long a timeline may get.
enum Timeline {
    /// The most rows of a run, over all pools: what a report draws and a spreadsheet still opens.
    static let capacity = 5000

    /// The interval between rows: a whole number of control ticks, as short as the capacity allows.
    static func interval(duration: TimeSpan, tick: TimeSpan, pools: Int) -> TimeSpan {
        let rows = Int64(max(1, capacity / max(1, pools)))
        let ticks = (duration.nanoseconds + tick.nanoseconds * rows - 1) / (tick.nanoseconds * rows)
        return tick * max(1, ticks)
    }
}

extension FleetWorld {
    /// Ends the timeline's interval at `now`: levels are read, sums are written, new rows begin.
    mutating func writeTimeline(at now: Instant) {
        for pool in pools.indices where pools[pool].row.time < now {
            var row = pools[pool].row
            row.span = now - row.time
            let counts = pools[pool].phaseCounts
            row.starting = counts.starting
            row.ready = counts.ready
            row.draining = counts.draining
            row.target = pools[pool].target
            row.queueDepth = pools[pool].held.count
            readEngines(of: pool, into: &row, at: now)
            row.costRate.nanodollars =
                pools[pool].price.rate.nanodollars
                * Int64(pools[pool].nodes.reduce(0) { $0 + ($1.map { $0.launched <= now } == true ? 1 : 0) })
            timeline.append(row)
            pools[pool].row = TimelineRow(time: now, span: row.span, pool: pools[pool].id)
        }
    }

    private mutating func readEngines(of pool: Int, into row: inout TimelineRow, at now: Instant) {
        var blocks = 0.0
        var busy = pools[pool].endedBusy
        for position in pools[pool].alive {
            busy += pools[pool].replicas[position]!.engine.busy(at: now)
            let interval = pools[pool].replicas[position]!.engine.takeInterval()
            row.firstTokens += interval.firstTokens
            row.ttftSum += interval.ttftSum
            row.ttftMax = max(row.ttftMax, interval.ttftMax)
            row.queueDepth += pools[pool].replicas[position]!.engine.waiting
            row.running += pools[pool].replicas[position]!.engine.batcher.runningCount
            if pools[pool].replicas[position]!.isReady {
                blocks += pools[pool].replicas[position]!.engine.batcher.kvUtilization
            }
        }
        row.kvUtilization = row.ready == 0 ? 0 : blocks / Double(row.ready)
        row.utilization =
            row.ready == 0 ? 0 : min(1, (busy - pools[pool].rowBusy).seconds / (row.span.seconds * Double(row.ready)))
        pools[pool].rowBusy = busy
        row.outputTokens = pools[pool].generatedTokens - pools[pool].rowTokens
        pools[pool].rowTokens = pools[pool].generatedTokens
    }
}

extension SimulatedPool {
    /// Tokens that all replicas of the pool have produced, the ended ones included.
    var generatedTokens: Int64 {
        alive.reduce(endedTokens) { $0 + replicas[$1]!.engine.counters.generatedTokens }
    }
}
