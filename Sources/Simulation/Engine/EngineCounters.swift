import EngineModel
import FleetModel
import Units

/// What one simulated replica counts: the metrics a scrape reads, and sums that the timeline takes away.
struct EngineCounters {
    var steps: Int64 = 0
    var generatedTokens: Int64 = 0
    var promptTokens: Int64 = 0
    var completed: Int64 = 0
    var preemptions: Int64 = 0
    var ttft = BucketCounter.ttft
    var itl = BucketCounter.itl
    /// First tokens since the timeline last looked.
    var interval = Interval()
    /// The largest features of any step so far.
    var reach = ValidRange(decodeSequences: 0, decodeContext: 0, prefillTokens: 0, prefillContext: 0)

    struct Interval {
        var firstTokens: Int64 = 0
        var ttftSum = TimeSpan.zero
        var ttftMax = TimeSpan.zero
    }

    mutating func countFirstToken(ttft span: TimeSpan, promptTokens tokens: Int64) {
        promptTokens += tokens
        ttft.add(span)
        interval.firstTokens += 1
        interval.ttftSum += span
        interval.ttftMax = max(interval.ttftMax, span)
    }

    /// Notes how far a run of steps leads, to compare with the profile's valid range.
    mutating func observe(_ features: StepFeatures, steps: Int64) {
        reach.decodeSequences = max(reach.decodeSequences, features.decodeSequences)
        reach.decodeContext = max(
            reach.decodeContext, features.decodeContext + features.decodeSequences * (steps - 1))
        reach.prefillTokens = max(reach.prefillTokens, features.prefillTokens)
        reach.prefillContext = max(
            reach.prefillContext, features.prefillContext + features.prefillTokens * (steps - 1))
    }
}
