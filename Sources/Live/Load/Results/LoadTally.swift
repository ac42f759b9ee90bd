import FleetModel
import Statistics
import Units

/// What the requests of a load came to.
///
/// Latencies are of completed requests. Those called plain are counted from when a request was due, which is what its
/// client waited; those from the send leave out what this program itself was late.
public struct LoadTally: Sendable {
    /// Requests that were due.
    public private(set) var offered = 0
    public private(set) var sent = 0
    public private(set) var completed = 0
    /// By kind, as files have it.
    public private(set) var errors: [String: Int] = [:]
    public private(set) var promptTokensAsked = 0
    public private(set) var outputTokensAsked = 0
    /// By the server's count, of completed requests that have one.
    public private(set) var promptTokens = 0
    public private(set) var outputTokens = 0
    /// Of the prompts' tokens, those that servers still had from earlier ones; and of requests alone whose prompt the
    /// scenario gives to nobody else.
    public private(set) var cachedTokens = 0
    public private(set) var cachedOwnTokens = 0
    /// Completed requests whose server told no count.
    public private(set) var uncounted = 0
    /// Of completed requests whose answer was of another length than asked.
    public private(set) var otherLength = 0

    public private(set) var sendDelay = LatencyHistogram()
    public private(set) var ttft = LatencyHistogram()
    public private(set) var ttftFromSend = LatencyHistogram()
    public private(set) var e2e = LatencyHistogram()
    public private(set) var e2eFromSend = LatencyHistogram()
    public private(set) var tpot = LatencyHistogram()
    /// Times between two texts of an answer. A server that puts several tokens into one event has fewer and longer ones.
    public internal(set) var itl = LatencyHistogram()
    public private(set) var classes: [ClassTally]

    /// A class's requests, and how many of them met every target of it.
    public struct ClassTally: Hashable, Sendable {
        public var sloClass: SLOClass
        public var requests = 0
        public var met = 0

        /// `nil` without requests.
        public var attainment: Double? { requests > 0 ? Double(met) / Double(requests) : nil }
        public var isMet: Bool { attainment.map { $0 >= sloClass.attainment } ?? true }
    }

    init(classes: [SLOClass]) { self.classes = classes.map { ClassTally(sloClass: $0) } }

    /// Counts a request that has ended.
    mutating func add(_ record: LoadRecord) {
        offered += 1
        promptTokensAsked += Int(record.arrival.promptTokens)
        outputTokensAsked += Int(record.arrival.outputTokens)
        if let delay = record.sendDelay {
            sent += 1
            sendDelay.record(delay)
        }
        let sloClass = Int(record.arrival.sloClass)
        // What the load's own end cut short says nothing of the promise.
        if record.outcome != .unfinished { classes[sloClass].requests += 1 }
        if let error = record.outcome.error(status: record.status) {
            errors[error, default: 0] += 1
            return
        }
        completed += 1
        addLatencies(of: record)
        addTokens(of: record)
        if Self.meets(classes[sloClass].sloClass, record) { classes[sloClass].met += 1 }
    }

    private mutating func addLatencies(of record: LoadRecord) {
        guard let sent = record.sent, let first = record.firstToken, let last = record.lastToken else { return }
        ttft.record(first - record.scheduled)
        ttftFromSend.record(first - sent)
        e2e.record(last - record.scheduled)
        e2eFromSend.record(last - sent)
        if let span = record.tpot { tpot.record(span) }
    }

    private mutating func addTokens(of record: LoadRecord) {
        guard let output = record.outputTokens, let prompt = record.promptTokens else {
            uncounted += 1
            return
        }
        promptTokens += prompt
        outputTokens += output
        cachedTokens += record.cachedTokens ?? 0
        if record.arrival.content.isNone { cachedOwnTokens += record.cachedTokens ?? 0 }
        if output != Int(record.arrival.outputTokens) { otherLength += 1 }
    }

    /// Whether a completed request met every target; one without any text met none that there is.
    private static func meets(_ sloClass: SLOClass, _ record: LoadRecord) -> Bool {
        guard let first = record.firstToken, let last = record.lastToken else {
            return sloClass.ttft == nil && sloClass.tpot == nil && sloClass.e2e == nil
        }
        if let limit = sloClass.ttft, first - record.scheduled > limit { return false }
        if let limit = sloClass.e2e, last - record.scheduled > limit { return false }
        if let limit = sloClass.tpot, let span = record.tpot, span > limit { return false }
        return true
    }

    /// What to say of a server that had prompts which no other request of the scenario has; `nil` for one that had next
    /// to none. Servers keep a few tokens of any prompt alike, such as one that begins each text.
    public var cacheWarning: String? {
        guard cachedOwnTokens * 50 > promptTokens else { return nil }
        return "the server still had \(cachedOwnTokens) of \(promptTokens) prompt tokens, though the scenario "
            + "gives each to one request: it has seen this load before; restart it, or change the scenario's seed"
    }
}
