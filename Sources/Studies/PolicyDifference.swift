import Simulation
import Statistics

#if canImport(Glibc)
    import Glibc
#endif

/// How one policy differs from another on the same traffic, in one headline.
public struct PolicyDifference: Hashable, Sendable {
    public var policy: String
    /// The policy it is set against.
    public var reference: String
    public var headline: Headline
    /// The policy's minus the reference's, in the headline's unit, with its paired interval; `nil` when either has none.
    public var difference: Estimate?
    /// The policy's over the reference's, with its paired interval; `nil` for attainment, and where the reference may
    /// be 0.
    public var ratio: Estimate?
    public var verdict: Verdict

    public enum Verdict: Hashable, Sendable {
        /// The interval leaves out equality. Alone each does so by chance in 5 of 100 comparisons of equal policies; one that
        /// holds jointly is also beyond what the best of all these comparisons would show by chance (Holm, 5 %).
        case different(jointly: Bool)
        /// The interval holds equality.
        case indistinguishable
        /// The same number in every replication.
        case same
        /// There is no interval, for the reason in words.
        case unknown(String)
    }

    public init(
        policy: String, reference: String, headline: Headline, difference: Estimate? = nil, ratio: Estimate? = nil,
        verdict: Verdict
    ) {
        self.policy = policy
        self.reference = reference
        self.headline = headline
        self.difference = difference
        self.ratio = ratio
        self.verdict = verdict
    }

    /// How the intervals are made.
    public static let method =
        "paired by replication: Fieller's interval for ratios, Student's for differences, 95 % each"
    public static let methodOfOneRun =
        "paired by batch of one run: batch means of the difference (of logarithms for ratios), 95 % each"
}

extension PolicyDifference {
    /// A difference before it is known how many others it stands among.
    private struct Draft {
        var difference: PolicyDifference
        var pValue: Double?
    }

    /// The differences of the first of `runs` against each of the others.
    ///
    /// - Parameters:
    ///   - runs: By policy, then replication: the same replications for all.
    ///   - whole: Replication 0 of each policy, in the same order: read when there is no other.
    static func all(_ runs: [[RunFigures]], whole: [RunResult], varied: String) -> [PolicyDifference] {
        let drafts = runs.indices.dropFirst().flatMap { other in
            Headline.allCases.map { headline in
                runs[0].count >= 2
                    ? replicated(headline, runs[0], runs[other], varied: varied)
                    : inOneRun(headline, whole[0], whole[other])
            }
        }
        let tested = drafts.indices.filter { drafts[$0].pValue != nil }
        let joint = holmRejections(tested.map { drafts[$0].pValue! }, level: 0.05)
        var differences = drafts.map(\.difference)
        for (index, isJoint) in zip(tested, joint) {
            if case .different = differences[index].verdict {
                differences[index].verdict = .different(jointly: isJoint)
            }
        }
        return differences
    }

    private static func replicated(_ headline: Headline, _ a: [RunFigures], _ b: [RunFigures], varied: String) -> Draft
    {
        var result = PolicyDifference(
            policy: a[0].policy, reference: b[0].policy, headline: headline, verdict: .unknown("a run measured none"))
        let (valuesA, valuesB) = (a.compactMap { $0.value(headline.path) }, b.compactMap { $0.value(headline.path) })
        guard valuesA.count == a.count, valuesB.count == b.count,
            let difference = ConfidenceInterval.paired(valuesA, valuesB, level: 0.95),
            let pValue = pairedPValue(valuesA, valuesB)
        else { return Draft(difference: result) }
        result.difference = Estimate(difference, varied: varied)
        if headline != .attainment {
            result.ratio = ConfidenceInterval.pairedRatio(valuesA, over: valuesB, level: 0.95)
                .map { Estimate($0, varied: varied) }
        }
        if valuesA == valuesB {
            result.verdict = .same
        } else {
            result.verdict = pValue < 0.05 ? .different(jointly: false) : .indistinguishable
        }
        return Draft(difference: result, pValue: pValue)
    }

    /// Requests of a batch are the same for both policies, so batches pair as replications do.
    private static func inOneRun(_ headline: Headline, _ a: RunResult, _ b: RunResult) -> Draft {
        var result = PolicyDifference(
            policy: a.policy, reference: b.policy, headline: headline, verdict: .unknown("no interval"))
        if a.headlineValue(headline) == b.headlineValue(headline), a.fingerprint == b.fingerprint {
            result.verdict = .same
            return Draft(difference: result)
        }
        do throws(NoInterval) {
            let (seriesA, seriesB) = (try BatchSeries(headline, of: a), try BatchSeries(headline, of: b))
            let change = try BatchSeries(
                value: seriesA.value - seriesB.value, influences: zip(seriesA.influences, seriesB.influences).map(-)
            ).batchMeans()
            result.difference = Estimate(change.interval(level: 0.95), varied: BatchEstimates.varied)
            var pValue = change.pValue
            if headline != .attainment, seriesA.value > 0, seriesB.value > 0 {
                let relative = try logRatio(seriesA, seriesB).batchMeans()
                let logs = relative.interval(level: 0.95)
                let bounds = Estimate.Bounds(lower: exp(logs.lower), upper: exp(logs.upper))
                result.ratio = Estimate(exp(logs.estimate), ci95: bounds, varied: BatchEstimates.varied)
                pValue = relative.pValue
            }
            result.verdict = pValue < 0.05 ? .different(jointly: false) : .indistinguishable
            return Draft(difference: result, pValue: pValue)
        } catch {
            result.verdict = .unknown(error.reason)
            return Draft(difference: result)
        }
    }

    /// The logarithm of the ratio, where a batch's influence is relative to the value (delta method).
    private static func logRatio(_ a: BatchSeries, _ b: BatchSeries) -> BatchSeries {
        BatchSeries(
            value: log(a.value / b.value),
            influences: zip(a.influences, b.influences).map { $0 / a.value - $1 / b.value })
    }
}

extension RunResult {
    /// The headline as a number; `nil` where the run had nothing to measure it on.
    func headlineValue(_ headline: Headline) -> Double? {
        measurements.first { $0.path == headline.path }?.quantity.estimate
    }
}

extension Estimate {
    init(_ interval: ConfidenceInterval, varied: String) {
        self.init(
            interval.estimate, ci95: Bounds(lower: interval.lower, upper: interval.upper), varied: varied)
    }
}
