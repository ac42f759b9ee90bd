import FleetModel
import Units

/// How long a timeline may get.
enum Timeline {
    /// The most rows of a run, over all pools: what a report draws and a spreadsheet still opens.
    static let capacity = 5000

    /// The interval between rows: a whole number of control ticks, as short as the capacity allows.
    static func interval(duration: TimeSpan, tick: TimeSpan, pools: Int) -> TimeSpan {
        let rows = Int64(max(1, capacity / max(1, pools)))
        // Divided one by one: a tick of weeks times five thousand is no number of nanoseconds.
        let ticks = max(1, duration.nanoseconds - 1) / tick.nanoseconds + 1
        return tick * ((ticks - 1) / rows + 1)
    }
}

extension SimulatedPool {
    /// Ends the timeline's interval at `now`: levels are read, sums are handed out, a new row begins.
    mutating func takeTimelineRow(at now: Instant) -> TimelineRow? {
        guard row.time < now else { return nil }
        synchronise(at: now)
        var done = row
        done.span = now - done.time
        let counts = phaseCounts
        done.starting = counts.starting
        done.ready = counts.ready
        done.draining = counts.draining
        done.target = target
        done.queueDepth = held.count
        readEngines(into: &done, at: now)
        done.costRate.nanodollars =
            price.rate.nanodollars
            * Int64(machines.machines.reduce(0) { $0 + ($1.map { $0.launched <= now } == true ? 1 : 0) })
        row = TimelineRow(time: now, span: done.span, pool: id)
        return done
    }

    private mutating func readEngines(into row: inout TimelineRow, at now: Instant) {
        var blocks = 0.0
        var busy = endedBusy
        for position in alive {
            busy += replicas[position]!.engine.busy(at: now)
            let interval = replicas[position]!.engine.takeInterval()
            row.firstTokens += interval.firstTokens
            row.ttftSum += interval.ttftSum
            row.ttftMax = max(row.ttftMax, interval.ttftMax)
            row.queueDepth? += replicas[position]!.engine.waiting
            row.running? += replicas[position]!.engine.batcher.runningCount
            if replicas[position]!.isReady { blocks += replicas[position]!.engine.batcher.kvUtilization }
        }
        row.kvUtilization = row.ready == 0 ? 0 : blocks / Double(row.ready)
        row.utilization =
            row.ready == 0 ? 0 : min(1, (busy - rowBusy).seconds / (row.span.seconds * Double(row.ready)))
        rowBusy = busy
        row.outputTokens = generatedTokens - rowTokens
        rowTokens = generatedTokens
    }

    /// Tokens that all replicas of the pool have produced, the ended ones included.
    var generatedTokens: Int64 {
        alive.reduce(endedTokens) { $0 + replicas[$1]!.engine.counters.generatedTokens }
    }
}
