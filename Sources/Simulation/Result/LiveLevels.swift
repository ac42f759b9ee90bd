import Control
import FleetModel
import Pricing
import Units

/// The rows of a live timeline as far as a journal tells them: each ends at a tick, with what was observed there.
struct LiveLevels: Sendable {
    /// How long a row is at least. Half a tick less than a row of the simulator, because live ticks do not come to the
    /// nanosecond.
    private let interval: TimeSpan
    private let pools: [PoolConfiguration]
    private let book: PriceBook
    /// By pool: machines held over time.
    private let held: [MachineCounts]
    /// By row, then pool.
    private(set) var rows: [[TimelineRow]] = []
    /// By pool: the most replicas that were paid for at a tick.
    private(set) var most: [Int]
    /// The longest time without a tick so far, and when it ended.
    private var gap: (length: TimeSpan, end: Instant)
    private var last: Instant
    /// When the row that is open began.
    private var open: Instant

    init(_ scenario: Scenario, start: Instant, duration: TimeSpan, usage: [UsageRecord]) {
        let tick = scenario.control.tick
        let whole = Timeline.interval(duration: duration, tick: tick, pools: scenario.pools.count)
        interval = whole - TimeSpan(nanoseconds: tick.nanoseconds / 2)
        (pools, book) = (scenario.pools, scenario.priceBook)
        held = pools.map { pool in MachineCounts(usage.filter { $0.pool == pool.id }) }
        most = Array(repeating: 0, count: pools.count)
        (open, last, gap) = (start, start, (.zero, start))
    }

    mutating func take(_ record: ControlRecord) {
        let now = record.time
        let seen = pools.compactMap { pool in record.observation.pools.first { $0.pool == pool.id } }
        // A tick of another fleet tells nothing of this one.
        guard seen.count == pools.count else { return }
        gap = longestGap(until: now)
        last = now
        guard now > open else { return }
        // A row that is too short yet goes on: its levels are those of this tick.
        if let first = rows.last?.first, first.span < interval {
            open = first.time
            rows.removeLast()
        }
        rows.append(
            pools.indices.map { index in
                let machines = held[index].count(justBefore: now)
                let slots = machines * pools[index].replicasPerInstance
                let replicas = seen[index].ready + seen[index].starting + seen[index].draining
                most[index] = max(most[index], min(slots, replicas))
                var row = TimelineRow(since: open, to: now, seen: seen[index])
                if record.context?.withheld == nil { row.target = record.level(of: pools[index].id) ?? row.target }
                let price = book.price(of: pools[index].offering)?.rate.nanodollars ?? 0
                row.costRate = USDPerHour(nanodollars: price * Int64(machines))
                return row
            })
        open = now
    }

    /// The longest time without a tick up to a moment, and when it ended.
    func longestGap(until now: Instant) -> (length: TimeSpan, end: Instant) {
        now - last > gap.length ? (now - last, now) : gap
    }

    /// The rows up to the period's end; what came after the last tick is in the last one.
    func finished(at end: Instant) -> [[TimelineRow]] {
        guard var final = rows.last, let first = final.first else { return [] }
        for index in final.indices { final[index].span = end - first.time }
        return rows.dropLast() + [final]
    }
}

extension TimelineRow {
    /// A row that a tick ends, without anything counted.
    fileprivate init(since start: Instant, to now: Instant, seen: PoolObservation) {
        self.init(time: start, span: now - start, pool: seen.pool)
        (rejected, outputTokensOffered, utilization) = (nil, nil, nil)
        (ready, starting, draining, target) = (seen.ready, seen.starting, seen.draining, seen.target)
        queueDepth = seen.queueDepth.map { Int($0.rounded()) }
        running = seen.runningSequences.map { Int($0.rounded()) }
        kvUtilization = seen.kvUtilization
    }
}

/// How many machines of a pool were held at any time.
struct MachineCounts: Sendable {
    private var starts: [Instant]
    private var ends: [Instant]

    init(_ records: [UsageRecord]) {
        starts = records.map(\.start).sorted()
        ends = records.map(\.end).sorted()
    }

    /// - Complexity: O(log records).
    func count(justBefore time: Instant) -> Int {
        starts.partitioningIndex { $0 >= time } - ends.partitioningIndex { $0 >= time }
    }
}

extension Array {
    /// The index of the first element for which `isBeyond` holds; it holds for all after it too.
    func partitioningIndex(_ isBeyond: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
