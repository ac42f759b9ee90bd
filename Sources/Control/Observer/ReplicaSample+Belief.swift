import FleetModel

extension ReplicaSample {
    /// Whether every value that is there can be one.
    var isPossible: Bool {
        runningSequences.isPossible(upTo: Most.gauge) && waitingRequests.isPossible(upTo: Most.gauge)
            && kvUtilization.isPossible(upTo: 1) && promptTokens.isPossible(upTo: Most.counter)
            && generationTokens.isPossible(upTo: Most.counter) && completedRequests.isPossible(upTo: Most.counter)
            && preemptions.isPossible(upTo: Most.counter) && prefixCacheQueries.isPossible(upTo: Most.counter)
            && prefixCacheHits.isPossible(upTo: Most.counter) && ttft?.isPossible ?? true && itl?.isPossible ?? true
    }

    /// Whether a counter stands lower than it did: its process has started again.
    func hasFallen(below earlier: ReplicaSample) -> Bool {
        promptTokens.isBelow(earlier.promptTokens) || generationTokens.isBelow(earlier.generationTokens)
            || completedRequests.isBelow(earlier.completedRequests) || preemptions.isBelow(earlier.preemptions)
            || prefixCacheQueries.isBelow(earlier.prefixCacheQueries)
            || prefixCacheHits.isBelow(earlier.prefixCacheHits)
            || (ttft?.cumulative.last).isBelow(earlier.ttft?.cumulative.last)
            || (itl?.cumulative.last).isBelow(earlier.itl?.cumulative.last)
    }

    /// Whether a value is gone that an earlier sample had, or a histogram has other buckets.
    func lacks(what earlier: ReplicaSample) -> Bool {
        runningSequences.isGone(from: earlier.runningSequences) || waitingRequests.isGone(from: earlier.waitingRequests)
            || kvUtilization.isGone(from: earlier.kvUtilization) || promptTokens.isGone(from: earlier.promptTokens)
            || generationTokens.isGone(from: earlier.generationTokens)
            || completedRequests.isGone(from: earlier.completedRequests)
            || preemptions.isGone(from: earlier.preemptions)
            || prefixCacheQueries.isGone(from: earlier.prefixCacheQueries)
            || prefixCacheHits.isGone(from: earlier.prefixCacheHits)
            || earlier.ttft.map { $0.upperBounds != ttft?.upperBounds } ?? false
            || earlier.itl.map { $0.upperBounds != itl?.upperBounds } ?? false
    }

    /// Whether sequences are running that an earlier sample had just as many tokens of: its page or its engine stands still.
    func isStuck(since earlier: ReplicaSample) -> Bool {
        guard let runningSequences, runningSequences > 0, let generationTokens else { return false }
        return generationTokens == earlier.generationTokens && promptTokens == earlier.promptTokens
    }
}

extension GatewaySample {
    /// Whether every value can be one.
    var isPossible: Bool {
        arrivedRequests.isPossible(upTo: largestLoad) && arrivedPromptTokens.isPossible(upTo: largestLoad)
            && streamedTokens.isPossible(upTo: largestLoad) && rejectedRequests.isPossible(upTo: largestLoad)
            && heldRequests.isPossible(upTo: Most.gauge)
    }
}

/// What a replica is believed at most: what a thousand of them add up to is no more than a journal is replayed with.
private enum Most {
    static let gauge = 1e9
    static let counter = largestLoad / 1000
}

extension Double {
    /// Whether a count or a gauge can have this value; not one that is no number.
    fileprivate func isPossible(upTo most: Double) -> Bool { self >= 0 && self <= most }
}

extension Double? {
    fileprivate func isPossible(upTo most: Double) -> Bool { self?.isPossible(upTo: most) ?? true }

    fileprivate func isGone(from other: Double?) -> Bool { self == nil && other != nil }

    fileprivate func isBelow(_ other: Double?) -> Bool {
        guard let self, let other else { return false }
        return self < other
    }
}

extension BucketCounts {
    /// Whether bounds ascend and counts are possible and do not fall from bucket to bucket.
    fileprivate var isPossible: Bool {
        var previous = 0.0
        for count in cumulative {
            guard count >= previous, count <= Most.counter else { return false }
            previous = count
        }
        return cumulative.count == upperBounds.count + 1
            && zip(upperBounds, upperBounds.dropFirst()).allSatisfy { $0 < $1 }
            && upperBounds.allSatisfy(\.isFinite)
    }
}
