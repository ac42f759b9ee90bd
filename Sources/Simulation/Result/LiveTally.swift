import Control
import FleetModel
import Units

/// Counts the requests of a live period: for the run's sums, on the machines that served them, and in the timeline.
struct LiveTally {
    private let period: LivePeriod
    private(set) var tally: RunTally
    /// With tokens and requests.
    private(set) var usage: [UsageRecord]
    /// By row, then pool.
    private var rows: [[TimelineRow]]
    private var counts: [UsageTally]
    private let machines: MachineIndex
    /// Requests that ended on no machine that the usage tells of, and those answered whole.
    private var unplaced = 0
    private var untimed = 0

    init(_ period: LivePeriod) {
        self.period = period
        let scenario = period.scenario
        tally = Self.tally(of: period)
        usage = period.usage.map(\.record)
        rows = period.levels.finished(at: period.end)
        counts = Array(repeating: UsageTally(tenants: scenario.tenants.count), count: usage.count)
        machines = MachineIndex(period.usage)
    }

    private static func tally(of period: LivePeriod) -> RunTally {
        RunTally(
            tenants: period.scenario.tenants, sloClasses: period.scenario.sloClasses, start: period.start,
            duration: period.end - period.start)
    }

    /// Pool by pool, as a simulation's: each row of its intervals.
    var timeline: [TimelineRow] { rows.flatMap { $0 } }

    var warnings: [String] {
        let unknown = period.usage.count { $0.replicas == nil }
        return [
            (
                unknown,
                "charge periods do not say which replicas stood on the machine: what they cost is on no tenant's account"
            ),
            (unplaced, "requests ended on no machine that the usage tells of: their tokens count in no tenant's share"),
            (
                untimed,
                "completed requests were answered as a whole: they have no first token, and no target on it is held "
                    + "against them"
            ),
        ].compactMap { count, what in count == 0 ? nil : "\(count) \(what)" }
    }

    /// Counts every request of the period, arrivals and ends in order of time.
    mutating func countRequests() {
        let requests = period.requests
        let ends = requests.indices.sorted { (requests[$0].ended, $0) < (requests[$1].ended, $1) }
        let arrivals = requests.indices.filter { period.isInside(requests[$0].arrival.time) }
            .sorted { (requests[$0].arrival.time, $0) < (requests[$1].arrival.time, $1) }
        // Those that were under way at the start are of the period before; only their ends fall into this one.
        var before = Self.tally(of: period)
        var next = 0
        for index in ends {
            let request = requests[index]
            while next < arrivals.count, requests[arrivals[next]].arrival.time <= request.ended {
                arrive(requests[arrivals[next]])
                next += 1
            }
            let isOwn = period.isInside(request.arrival.time)
            let isMet = isOwn ? tally.end(request) : before.end(request)
            if isOwn, request.outcome == .completed, request.firstToken == nil { untimed += 1 }
            if period.isInside(request.ended) { end(request, isMet: isMet) }
        }
        // A clock that was set back can end a request before it came.
        for index in arrivals[next...] { arrive(requests[index]) }
        for index in usage.indices {
            (usage[index].promptTokens, usage[index].outputTokens, usage[index].requests) =
                (counts[index].promptTokens, counts[index].outputTokens, counts[index].requests)
        }
    }

    private mutating func arrive(_ request: LiveRequest) {
        tally.arrive(request.arrival)
        at(request.arrival.time, of: request.pool) { row in
            row.arrived += 1
            row.promptTokensOffered += Int64(request.arrival.promptTokens)
        }
        guard let first = request.firstToken else { return }
        at(first, of: request.pool) { row in
            let span = first - request.arrival.time
            row.firstTokens += 1
            row.ttftSum += span
            row.ttftMax = max(row.ttftMax, span)
        }
    }

    private mutating func end(_ request: LiveRequest, isMet: Bool) {
        at(request.ended, of: request.pool) { row in
            row.count(request.outcome, isMet: isMet)
            row.outputTokens += Int64(request.arrival.outputTokens)
        }
        guard let replica = request.replica else { return }
        let pool = period.scenario.pools[request.pool].id
        guard let machine = machines.find(replica, of: pool, at: request.ended) else {
            unplaced += 1
            return
        }
        counts[machine].count(
            tenant: Int(request.arrival.tenant), isCompleted: request.outcome == .completed,
            promptTokens: Int64(request.arrival.promptTokens), outputTokens: Int64(request.arrival.outputTokens))
    }

    /// Changes the row of a pool that a moment falls into, if there is one.
    private mutating func at(_ time: Instant, of pool: Int, _ change: (inout TimelineRow) -> Void) {
        guard period.isInside(time) else { return }
        let beyond = rows.partitioningIndex { $0[0].time > time }
        if beyond > 0 { change(&rows[beyond - 1][pool]) }
    }
}

extension RunTally {
    fileprivate mutating func end(_ request: LiveRequest) -> Bool {
        end(
            request.arrival, outcome: request.outcome, at: request.ended, firstToken: request.firstToken ?? .never,
            admitted: .never)
    }
}

/// Finds the machine, in its charge period, that a replica stood on.
private struct MachineIndex {
    private struct Key: Hashable {
        var pool: PoolID
        var replica: Int
    }

    /// Positions of usage records, in order of time.
    private var positions: [Key: [Int]] = [:]
    private let spans: [(start: Instant, end: Instant)]

    init(_ usage: [MachineUsage]) {
        spans = usage.map { ($0.record.start, $0.record.end) }
        for index in usage.indices.sorted(by: { (usage[$0].record.start, $0) < (usage[$1].record.start, $1) }) {
            for replica in usage[index].replicas ?? [] {
                positions[Key(pool: usage[index].record.pool, replica: replica.number), default: []].append(index)
            }
        }
    }

    func find(_ replica: Int, of pool: PoolID, at time: Instant) -> Int? {
        guard let own = positions[Key(pool: pool, replica: replica)] else { return nil }
        let beyond = own.partitioningIndex { spans[$0].start > time }
        guard beyond > 0, time < spans[own[beyond - 1]].end else { return nil }
        return own[beyond - 1]
    }
}
