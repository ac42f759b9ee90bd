import Calibration
import FleetModel
import NIOPosix
import Units

/// Sends requests to a server and times every token of the answers, for a calibration: a request that fails ends it.
public struct EndpointMeter: Sendable {
    public let target: LoadTarget
    public let style: RequestStyle
    /// How long an answer may take.
    public var timeout = TimeSpan.seconds(120)
    /// Whether the sending thread asks to run before ordinary ones.
    public var isUrgent = true
    private let group: MultiThreadedEventLoopGroup

    /// - Parameter group: One thread.
    public init(_ target: LoadTarget, style: RequestStyle, on group: MultiThreadedEventLoopGroup) {
        self.target = target
        self.style = style
        self.group = group
    }

    /// Sends requests when they are due, and waits for all answers.
    ///
    /// - Parameter onProgress: `false` stops it.
    /// - Returns: In the order of the requests.
    /// - Throws: `LoadError` when an answer fails, is cut or not counted; `CancellationError` when it was stopped.
    public func answers(
        to requests: [Arrival], onProgress: (LoadRun.Progress) -> Bool = { _ in true }
    ) async throws -> [EndpointAnswer] {
        let traffic = LoadTraffic("calibration", requests: requests)
        var limits = LoadLimits(connections: max(64, 2 * requests.count), timeouts: [timeout], drain: timeout)
        limits.reusesConnections = false
        var run = LoadRun(traffic: traffic, target: target, style: style, limits: limits)
        run.keepsRequests = true
        run.isUrgent = isUrgent
        (run.lead, run.interval) = (.milliseconds(10), .milliseconds(5))
        let result = try await run.play(on: group, onProgress: onProgress)
        guard result.stoppedAt == nil else { throw CancellationError() }
        return try TimedAnswers.of(result, target: target)
    }
}

/// What a load's records say, when all of them say enough.
public enum TimedAnswers {
    /// - Throws: `LoadError` with what is wrong with the first kind of failure.
    static func of(_ result: LoadResult, target: LoadTarget) throws(LoadError) -> [EndpointAnswer] {
        let records = result.records.sorted { $0.number < $1.number }
        let failed = records.filter { $0.outcome != .completed }
        if let first = failed.first {
            throw LoadError(
                """
                \(target): error: \(failed.count) of \(records.count) requests failed: \
                \(explanation(first.outcome, status: first.status))
                """)
        }
        var answers: [EndpointAnswer] = []
        for record in records {
            guard let prompt = record.promptTokens, let output = record.outputTokens else {
                throw LoadError(
                    """
                    \(target): error: the answers come without usage, so their tokens are not known
                        let the server send usage at the end of a stream ('stream_options': {'include_usage': true})
                    """)
            }
            guard let sent = record.sent, output > 0, !record.tokenTimes.isEmpty else {
                throw LoadError("\(target): error: an answer of \(output) tokens came without any text")
            }
            answers.append(
                EndpointAnswer(
                    sent: sent, times: record.tokenTimes, promptTokens: prompt, outputTokens: output,
                    serverPrefill: record.serverPrefill))
        }
        return answers
    }

    private static func explanation(_ outcome: LoadOutcome, status: Int) -> String {
        switch outcome {
        case .completed: "none"
        case .refused: "the server answered with status \(status)"
        case .connectFailed: "no connection could be made"
        case .noConnection: "all connections were in use"
        case .closed: "the server closed the connection before the answer"
        case .timedOut: "no whole answer came within the time; allow more with --timeout"
        case .malformed: "the answer is no HTTP, or its events are no JSON"
        case .errorEvent: "the server told of an error in place of the rest of the answer"
        case .truncated: "the stream ended without its last event, [DONE]"
        case .unfinished: "the answers took too long; allow more with --timeout"
        }
    }
}

extension LoadResult {
    /// The requests that completed, as a run beside which others can be laid; empty where they were not kept.
    ///
    /// - Throws: `LoadError` where an answer is not counted.
    public func timedAnswers(of target: LoadTarget) throws(LoadError) -> [EndpointAnswer] {
        var copy = self
        copy.records = records.filter { $0.outcome == .completed }
        return try TimedAnswers.of(copy, target: target)
    }
}
