import Formats
import Statistics
import Units

/// What a request's latency was, in seconds.
public struct RequestLatency: Hashable, Sendable {
    /// From when the engine took the request up to its first token.
    public var ttft: Double
    /// Mean gap between tokens; `nil` for an answer of one token.
    public var tpot: Double?
    public var gaps: Int
    /// From when the engine took the request up to its last token.
    public var e2e: Double

    init(queued: Instant, firstToken: Instant, lastToken: Instant, outputTokens: Int) {
        ttft = (firstToken - queued).seconds
        e2e = (lastToken - queued).seconds
        gaps = outputTokens - 1
        tpot = gaps > 0 ? (lastToken - firstToken).seconds / Double(gaps) : nil
    }
}

/// Mean and quantiles of one latency, in seconds.
public struct LatencyFigures: Hashable, Sendable, Codable {
    public var mean: Double
    public var p50: Double
    public var p90: Double
    public var p99: Double

    /// - Parameter values: With how often each counts. At least one counts once.
    init(_ values: [(value: Double, count: Int)]) {
        let sorted = values.filter { $0.count > 0 }.sorted { $0.value < $1.value }
        let total = sorted.reduce(0) { $0 + $1.count }
        precondition(total > 0, "no latencies")
        mean = sorted.reduce(0) { $0 + $1.value * Double($1.count) } / Double(total)
        /// Interpolated linearly between order statistics, as `quantile(of:_:)` does.
        func quantile(_ q: Double) -> Double {
            let position = q * Double(total - 1)
            let low = Int(position)
            func value(at rank: Int) -> Double {
                var below = 0
                for entry in sorted {
                    below += entry.count
                    if rank < below { return entry.value }
                }
                return sorted[sorted.count - 1].value
            }
            let (first, second) = (value(at: low), value(at: min(low + 1, total - 1)))
            return first + (position - Double(low)) * (second - first)
        }
        (p50, p90, p99) = (quantile(0.5), quantile(0.9), quantile(0.99))
    }

    /// How far these lie from `measured`, in percent of it.
    func error(against measured: LatencyFigures) -> LatencyFigures {
        func percent(_ path: KeyPath<LatencyFigures, Double>) -> Double {
            100 * (self[keyPath: path] / measured[keyPath: path] - 1)
        }
        var copy = self
        (copy.mean, copy.p50, copy.p90, copy.p99) = (percent(\.mean), percent(\.p50), percent(\.p90), percent(\.p99))
        return copy
    }
}

/// The four latencies of a set of requests.
///
/// ITL is the gap between two tokens over all gaps. Where only a request's first and last token have times, its gaps count
/// as equal, on both sides: its quantiles are then those of TPOT weighted by tokens.
public struct LatencySet: Hashable, Sendable, Codable {
    public var ttft: LatencyFigures
    public var tpot: LatencyFigures
    public var itl: LatencyFigures
    public var e2e: LatencyFigures

    /// - Parameter gaps: Seconds between two tokens and how often; where they were not timed, those of equal gaps.
    /// - Precondition: some request has two tokens.
    init(_ requests: [RequestLatency], gaps: [(value: Double, count: Int)] = []) {
        ttft = LatencyFigures(requests.map { ($0.ttft, 1) })
        tpot = LatencyFigures(requests.map { ($0.tpot ?? 0, $0.tpot == nil ? 0 : 1) })
        itl = LatencyFigures(gaps.isEmpty ? requests.map { ($0.tpot ?? 0, $0.gaps) } : gaps)
        e2e = LatencyFigures(requests.map { ($0.e2e, 1) })
    }

    func error(against measured: LatencySet) -> LatencySet {
        var copy = self
        copy.ttft = ttft.error(against: measured.ttft)
        copy.tpot = tpot.error(against: measured.tpot)
        copy.itl = itl.error(against: measured.itl)
        copy.e2e = e2e.error(against: measured.e2e)
        return copy
    }
}

extension MeasuredRun {
    /// What was measured.
    func latencies() -> [RequestLatency] {
        requests.map {
            RequestLatency(
                queued: clock == .client ? $0.arrival : $0.queued, firstToken: $0.firstToken, lastToken: $0.lastToken,
                outputTokens: $0.outputTokens)
        }
    }

    /// The same of a simulated run.
    func latencies(of outcome: MeasuredReplay.Outcome) -> [RequestLatency] {
        zip(outcome.requests, requests).map {
            RequestLatency(
                queued: clock == .client ? $1.arrival : $0.queued, firstToken: $0.firstToken, lastToken: $0.lastToken,
                outputTokens: $1.outputTokens)
        }
    }

    /// Gaps between tokens as they were timed; empty where they were not.
    var gaps: [(value: Double, count: Int)] {
        requests.flatMap { request in
            zip(request.tokenTimes, request.tokenTimes.dropFirst()).map { (($1 - $0).seconds, 1) }
        }
    }
}
