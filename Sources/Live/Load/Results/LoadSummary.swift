import Statistics
import Units

/// What `summary.json` of a load holds and `--json` prints.
///
/// Latencies are in milliseconds and of completed requests, counted from when each was due; `…_from_send_ms` from when it
/// was sent. A measurement without anything to measure is null.
public struct LoadSummary: Encodable, Sendable {
    public var scenario: String
    public var seed: UInt64
    public var speed: Double
    public var fromSeconds: Double
    public var target: String
    public var model: String
    public var api: String
    public var prompts: String
    public var version: String
    public var startedAt: Instant
    public var sendingThread: ThreadUrgency
    public var requests: Requests
    public var rate: Rate
    public var tokens: Tokens
    public var connections: Connections
    public var sendDelay: Quantiles?
    public var ttft: Quantiles?
    public var ttftFromSend: Quantiles?
    public var tpot: Quantiles?
    public var itl: Quantiles?
    public var e2e: Quantiles?
    public var e2eFromSend: Quantiles?
    public var slo: [SLO]
    /// `nil` for a whole result.
    public var partial: Partial?
    public var warnings: [String]

    public struct Requests: Encodable, Sendable {
        /// That were due.
        public var offered: Int
        public var sent: Int
        public var completed: Int
        /// By kind.
        public var errors: [String: Int]
    }

    /// Requests a second.
    public struct Rate: Encodable, Sendable {
        /// Over the time in which requests were due.
        public var offered: Double
        public var sent: Double
        /// Over the time to the last answer.
        public var completed: Double
        public var outputTokens: Double

        enum CodingKeys: String, CodingKey {
            case offered = "offered_per_second"
            case sent = "sent_per_second"
            case completed = "completed_per_second"
            case outputTokens = "output_tokens_per_second"
        }
    }

    public struct Tokens: Encodable, Sendable {
        public var promptAsked: Int
        public var outputAsked: Int
        /// By the server's count, of completed requests.
        public var prompt: Int
        /// Of the prompts': what the server still had from earlier ones, where it says so.
        public var cachedPrompt: Int
        public var output: Int
        public var answersWithoutUsage: Int
        public var answersOfOtherLength: Int

        enum CodingKeys: String, CodingKey {
            case prompt, output
            case cachedPrompt = "cached_prompt"
            case promptAsked = "prompt_asked"
            case outputAsked = "output_asked"
            case answersWithoutUsage = "answers_without_usage"
            case answersOfOtherLength = "answers_of_other_length"
        }
    }

    public struct Connections: Encodable, Sendable {
        public var opened: Int
        public var most: Int
        public var limit: Int
    }

    /// Milliseconds.
    public struct Quantiles: Encodable, Sendable {
        public var count: Int
        public var mean: Double
        public var p50: Double
        public var p90: Double
        public var p99: Double
        public var p999: Double
        public var max: Double

        init?(_ histogram: LatencyHistogram) {
            guard let mean = histogram.mean, let max = histogram.maximum else { return nil }
            let quantile = { (q: Double) in histogram.quantile(q)?.milliseconds ?? 0 }
            count = histogram.count
            self.mean = mean.milliseconds
            (p50, p90, p99, p999) = (quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999))
            self.max = max.milliseconds
        }

        enum CodingKeys: String, CodingKey {
            case count, mean, p50, p90, p99, max
            case p999 = "p99_9"
        }
    }

    public struct SLO: Encodable, Sendable {
        public var name: String
        public var requests: Int
        /// Of all its requests, failed ones too; `nil` without any.
        public var attainment: Double?
        public var promised: Double
        public var met: Bool
    }

    public struct Partial: Encodable, Sendable {
        public var stoppedAfterSeconds: Double
        public var plannedSeconds: Double

        enum CodingKeys: String, CodingKey {
            case stoppedAfterSeconds = "stopped_after_seconds"
            case plannedSeconds = "planned_seconds"
        }
    }

    enum CodingKeys: String, CodingKey {
        case scenario, seed, speed, target, model, api, prompts, version, requests, rate, tokens, connections, slo
        case partial, warnings
        case fromSeconds = "from_seconds"
        case startedAt = "started_at"
        case sendingThread = "sending_thread"
        case sendDelay = "send_delay_ms"
        case ttft = "ttft_ms"
        case ttftFromSend = "ttft_from_send_ms"
        case tpot = "tpot_ms"
        case itl = "itl_ms"
        case e2e = "e2e_ms"
        case e2eFromSend = "e2e_from_send_ms"
    }
}

extension LoadSummary {
    public init(_ result: LoadResult, of run: LoadRun, version: String) {
        let tally = result.tally
        (scenario, seed, speed) = (run.traffic.name, run.traffic.seed, run.traffic.speed)
        fromSeconds = run.traffic.begin.seconds
        target = run.target.description
        (model, api, prompts) = (run.style.model, run.style.api.rawValue, run.style.prompts.rawValue)
        self.version = version
        startedAt = Instant(nanoseconds: Int64(result.beganAt) * 1_000_000_000)
        sendingThread = result.urgency
        requests = Requests(
            offered: tally.offered, sent: tally.sent, completed: tally.completed, errors: tally.errors)
        rate = Rate(result, duration: result.stoppedAt ?? run.traffic.duration)
        tokens = Tokens(
            promptAsked: tally.promptTokensAsked, outputAsked: tally.outputTokensAsked, prompt: tally.promptTokens,
            cachedPrompt: tally.cachedTokens, output: tally.outputTokens, answersWithoutUsage: tally.uncounted,
            answersOfOtherLength: tally.otherLength)
        connections = Connections(
            opened: result.connectionsOpened, most: result.mostConnections, limit: run.limits.connections)
        (sendDelay, ttft, tpot) = (Quantiles(tally.sendDelay), Quantiles(tally.ttft), Quantiles(tally.tpot))
        (itl, e2e) = (Quantiles(tally.itl), Quantiles(tally.e2e))
        (ttftFromSend, e2eFromSend) = (Quantiles(tally.ttftFromSend), Quantiles(tally.e2eFromSend))
        slo = tally.classes.filter { $0.requests > 0 }.map {
            SLO(
                name: $0.sloClass.name, requests: $0.requests, attainment: $0.attainment,
                promised: $0.sloClass.attainment, met: $0.isMet)
        }
        partial = result.stoppedAt.map {
            Partial(stoppedAfterSeconds: $0.seconds, plannedSeconds: run.traffic.duration.seconds)
        }
        warnings = Self.warnings(of: result, run)
    }

    /// What a reader must know before believing the figures.
    private static func warnings(of result: LoadResult, _ run: LoadRun) -> [String] {
        var warnings: [String] = []
        if let at = result.limitReachedAt {
            let count = result.tally.errors[LoadOutcome.noConnection.error(status: 0)!] ?? 0
            warnings.append(
                "after \(LoadText.seconds(at)) all \(run.limits.connections) connections were in use: \(count) requests "
                    + "were not sent; raise --max-connections, and the limit of open files (ulimit -n) for more of them"
            )
        }
        if let delay = result.tally.sendDelay.quantile(0.99), delay > .milliseconds(10) {
            warnings.append(
                "1 % of the requests were sent \(LoadText.milliseconds(delay.milliseconds)) late or later: this machine "
                    + "is too busy for the rate, and latencies from when requests were due include it")
        }
        if result.tally.uncounted > 0 {
            warnings.append(
                "\(result.tally.uncounted) answers came without usage: their tokens are not known, and they have no TPOT"
            )
        }
        if result.tally.otherLength > 0 {
            warnings.append(
                "\(result.tally.otherLength) answers are of another length than asked: the server ends them when the "
                    + "model does, or cuts them")
        }
        if let warning = result.tally.cacheWarning { warnings.append(warning) }
        if let failure = result.trafficFailure { warnings.append("traffic is missing: \(failure)") }
        return warnings
    }
}

extension LoadSummary.Rate {
    init(_ result: LoadResult, duration: TimeSpan) {
        let span = max(duration.seconds, 1e-9)
        let whole = max(result.span.seconds, 1e-9)
        offered = Double(result.tally.offered) / span
        sent = Double(result.tally.sent) / max(span, result.lastSent.seconds)
        completed = Double(result.tally.completed) / whole
        outputTokens = Double(result.tally.outputTokens) / whole
    }
}
