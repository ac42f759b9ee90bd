import FleetModel
import Units

/// How a request of a load ended.
public enum LoadOutcome: Hashable, Sendable {
    /// The whole answer came.
    case completed
    /// The server answered with another status than 200.
    case refused
    /// No connection could be made.
    case connectFailed
    /// As many connections as allowed were in use, so it was not sent: waiting for an earlier request would hide the delay.
    case noConnection
    /// The connection ended before the answer.
    case closed
    /// The class's timeout passed, counted from when the request was due.
    case timedOut
    /// The answer is no HTTP, or its events are no JSON.
    case malformed
    /// The server told of an error in place of the rest of the answer.
    case errorEvent
    /// The answer ended without its last event.
    case truncated
    /// The load ended first.
    case unfinished

    /// As files have it; `nil` for a completed one.
    public func error(status: Int) -> String? {
        switch self {
        case .completed: nil
        case .refused: "http-\(status)"
        case .connectFailed: "connect"
        case .noConnection: "connection-limit"
        case .closed: "closed"
        case .timedOut: "timeout"
        case .malformed: "malformed"
        case .errorEvent: "error-event"
        case .truncated: "truncated"
        case .unfinished: "unfinished"
        }
    }
}

/// A request of a load that has ended: what was asked, and when what happened. Times are of the monotonic clock.
struct LoadRecord: Sendable {
    var number: Int
    var arrival: Arrival
    /// When it was due.
    var scheduled: Instant
    /// When its bytes had been given to the system; `nil` when they never were.
    var sent: Instant?
    /// When the first and the last text of the answer came.
    var firstToken: Instant?
    var lastToken: Instant?
    /// When each event came that stands for a token; empty where nobody asked for it.
    var times: [Instant] = []
    /// When other empty texts came: the first and the last of an answer may be tokens, or not.
    var emptyTimes: [Instant] = []
    var ended: Instant
    var outcome: LoadOutcome
    /// Of HTTP; 0 when none came.
    var status = 0
    /// The server's own counts; `nil` when it gave none.
    var promptTokens: Int?
    var outputTokens: Int?
    /// Of the prompt's, which the server still had from an earlier one; `nil` where it does not say.
    var cachedTokens: Int?
    /// How long the server says that it computed the prompt and the answer, in seconds; `nil` where it does not.
    var serverPrefill: Double?
    var serverDecode: Double?

    init(_ request: LoadRequest, scheduled: Instant) {
        number = request.number
        arrival = request.arrival
        self.scheduled = scheduled
        ended = scheduled
        outcome = .unfinished
    }

    /// When each token came, where the server's count tells which empty texts are some.
    var tokenTimes: [Instant] {
        let all = times + emptyTimes
        return all.count == outputTokens ? all.sorted() : times
    }

    var sendDelay: TimeSpan? { sent.map { $0 - scheduled } }

    /// (last − first) / (tokens − 1); `nil` where the server counted less than two tokens, or not at all.
    var tpot: TimeSpan? {
        guard let first = firstToken, let last = lastToken, let tokens = outputTokens, tokens > 1 else { return nil }
        return TimeSpan(nanoseconds: (last - first).nanoseconds / Int64(tokens - 1))
    }
}
