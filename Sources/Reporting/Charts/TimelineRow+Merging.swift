import Simulation
import Units

extension [TimelineRow] {
    /// At most `limit` rows for the same span, for a drawing that has no more room: neighbours are taken together.
    ///
    /// Counts add up, levels are those at the end, the queue and the worst latency are the largest, utilisation is the
    /// mean over time.
    ///
    /// - Precondition: the rows are of one pool, in order of time, and `limit` is positive.
    func merged(into limit: Int) -> [TimelineRow] {
        precondition(limit > 0, "at least one row must remain")
        guard count > limit else { return self }
        let width = (count + limit - 1) / limit
        return stride(from: 0, to: count, by: width).map { start in
            let group = self[start..<Swift.min(start + width, count)]
            return group.dropFirst().reduce(into: group[start]) { $0.absorb($1) }
        }
    }
}

extension TimelineRow {
    fileprivate mutating func absorb(_ next: TimelineRow) {
        let (before, after) = (span.seconds, next.span.seconds)
        let weight = before + after > 0 ? after / (before + after) : 0
        utilization = mean(utilization, next.utilization, weight)
        kvUtilization = mean(kvUtilization, next.kvUtilization, weight)
        span = span + next.span
        arrived += next.arrived
        completed += next.completed
        rejected = sum(rejected, next.rejected)
        failed += next.failed
        promptTokensOffered += next.promptTokensOffered
        outputTokensOffered = sum(outputTokensOffered, next.outputTokensOffered)
        outputTokens += next.outputTokens
        met += next.met
        ended += next.ended
        ttftSum = ttftSum + next.ttftSum
        ttftMax = Swift.max(ttftMax, next.ttftMax)
        firstTokens += next.firstTokens
        ready = next.ready
        starting = next.starting
        draining = next.draining
        target = next.target
        queueDepth = [queueDepth, next.queueDepth].compactMap { $0 }.max()
        running = next.running
        costRate = next.costRate
    }
}

/// Of a part that nobody knows, the whole is not known.
private func sum(_ a: Int64?, _ b: Int64?) -> Int64? { a.flatMap { a in b.map { a + $0 } } }

/// What is known of a level, over the time that it is known of.
private func mean(_ a: Double?, _ b: Double?, _ weight: Double) -> Double? {
    guard let a, let b else { return a ?? b }
    return a + (b - a) * weight
}
