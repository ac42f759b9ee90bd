import FleetModel
import Randomness
import Units

/// The requests of one synthetic source, one after the other.
struct SyntheticLane {
    private let gaps: GapSampler
    private let prompts: LengthSampler
    private let outputs: LengthSampler
    private let tenants: TenantChoice
    private let sloClass: Int32
    /// What prompts have in common, and the conversations under way; `nil` where there is none.
    private var laws: TurnLaws?
    /// Whether there is: asking `laws` copies it.
    private let hasLaws: Bool
    private var sessions: OpenSessions?
    private let start: Instant
    private var cursor: RateCursor
    private let arrivals: RandomGenerator
    private let requests: RandomGenerator
    /// Number of the next request in this source; with sessions, of the next conversation.
    private var index = 0
    /// When that one comes.
    private var following: Instant?
    /// When the next request comes; `nil` when none does before the end.
    private(set) var time: Instant?

    init(_ source: TrafficSource, streams: RandomStreams, start: Instant, duration: TimeSpan) {
        if let problem = source.problem { preconditionFailure("source '\(source.name)': \(problem)") }
        gaps = GapSampler(source.arrivals)
        prompts = LengthSampler(source.promptTokens)
        outputs = LengthSampler(source.outputTokens)
        tenants = TenantChoice(source.tenants)
        sloClass = Int32(source.sloClass)
        self.start = start
        let rate = source.sessions.map { source.rate.scaled(by: 1 / $0.turns) } ?? source.rate
        cursor = RateCursor(rate, limit: duration)
        hasLaws = source.sharedPrefix != nil || source.sessions != nil
        if hasLaws {
            laws = TurnLaws(
                prompts: prompts, outputs: outputs,
                contents: ContentSampler(source.sharedPrefix, source: source.name, streams: streams), sloClass: sloClass
            )
        }
        sessions = source.sessions.map {
            OpenSessions($0, source: source, streams: streams, end: start + duration)
        }
        arrivals = streams.generator("arrivals", source.name)
        requests = streams.generator("requests", source.name)
        arrivals.seek(to: 0)
        following = cursor.advance(by: gaps.first(arrivals)).map { start + $0 }
        time = following
    }

    /// The request that comes at `time`; then moves on to the one after it.
    ///
    /// Draws are sought by the request's number, so copies of a lane that share generators draw the same.
    mutating func next(at time: Instant) -> Arrival {
        if hasLaws { return next(at: time, laws!) }
        requests.seek(to: index)
        let prompt = prompts.tokens(at: requests.uniform())
        let output = outputs.tokens(at: requests.uniform())
        let tenant = tenants.only ?? tenants.tenant(at: requests.uniform())
        moveOn()
        self.time = following
        return Arrival(time: time, promptTokens: prompt, outputTokens: output, tenant: tenant, sloClass: sloClass)
    }

    private mutating func moveOn() {
        index += 1
        arrivals.seek(to: index)
        following = cursor.advance(by: gaps.next(arrivals)).map { start + $0 }
    }

    /// The same where prompts have something in common: what is drawn besides is drawn behind the rest.
    private mutating func next(at time: Instant, _ laws: TurnLaws) -> Arrival {
        let arrival: Arrival
        if let first = sessions?.first, following.map({ first <= $0 }) ?? true {
            arrival = sessions!.next(laws)
        } else {
            requests.seek(to: index)
            let prompt = prompts.tokens(at: requests.uniform())
            let output = outputs.tokens(at: requests.uniform())
            let tenant = tenants.tenant(at: requests.uniform())
            let variant = laws.contents.variant(at: requests.uniform())
            if sessions == nil {
                arrival = Arrival(
                    time: time, promptTokens: max(prompt, laws.contents.sharedTokens + 1), outputTokens: output,
                    tenant: tenant, sloClass: sloClass,
                    content: laws.contents.content(tenant: tenant, variant: variant, number: index))
            } else {
                let turns = sessions!.turns(at: requests.uniform())
                arrival = sessions!.open(
                    session: index, at: time, turns: turns, tenant: tenant, variant: variant, laws)
            }
            moveOn()
        }
        self.time = [following, sessions?.first].compactMap(\.self).min()
        return arrival
    }
}

/// The records of one trace, one after the other. Some hundred are in memory at a time.
struct TraceLane {
    private let speed: Double
    private let tenants: TenantChoice
    private let sloClass: Int32
    private let start: Instant
    private let duration: TimeSpan
    private let choices: RandomGenerator
    private var reader: (any TraceReader)?
    private var records: [TraceRecord] = []
    /// Of the next record: in `records`, and in the trace.
    private var position = 0
    private var index = 0
    /// When the next record comes; `nil` when none does before the end.
    private(set) var time: Instant?
    /// Why the trace ended before its end.
    private(set) var failure: TraceFailure?

    init(_ trace: TraceTraffic, streams: RandomStreams, start: Instant, duration: TimeSpan) {
        if let problem = trace.problem { preconditionFailure("trace '\(trace.name)': \(problem)") }
        speed = trace.speed
        tenants = TenantChoice(trace.tenants)
        sloClass = Int32(trace.sloClass)
        self.start = start
        self.duration = duration
        choices = streams.generator("tenants", trace.name)
        do throws(TraceFailure) {
            reader = try trace.source.open()
        } catch {
            failure = error
        }
        fill()
        time = timeOfNext()
    }

    /// The record that comes at `time`; then moves on to the one after it.
    mutating func next(at time: Instant) -> Arrival {
        let record = records[position]
        var tenant = tenants.only
        if tenant == nil {
            choices.seek(to: index)
            tenant = tenants.tenant(at: choices.uniform())
        }
        position += 1
        index += 1
        if position == records.count { fill() }
        self.time = timeOfNext()
        return Arrival(
            time: time, promptTokens: record.promptTokens, outputTokens: record.outputTokens, tenant: tenant ?? 0,
            sloClass: sloClass)
    }

    private mutating func fill() {
        position = 0
        do throws(TraceFailure) {
            try reader?.next(into: &records)
        } catch {
            failure = error
            records = []
            reader = nil
        }
    }

    private func timeOfNext() -> Instant? {
        guard position < records.count else { return nil }
        let offset = records[position].offset
        // At its own speed a trace keeps its times to the nanosecond.
        let played = speed == 1 ? offset : TimeSpan(nanoseconds: Int64(Double(offset.nanoseconds) / speed))
        return played < duration ? start + played : nil
    }
}
