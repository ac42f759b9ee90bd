import Simulation
import Statistics

/// What one run says of its own uncertainty: long-run estimates with intervals from its batches, where the batches
/// allow it, and the reason where they do not.
public struct BatchEstimates: Hashable, Sendable {
    public var warmUp: WarmUp
    /// In the order of a summary.
    public var entries: [Entry]

    public struct Entry: Hashable, Sendable {
        public var path: [String]
        public var isMoney: Bool
        public var outcome: Outcome
    }

    public enum Outcome: Hashable, Sendable {
        case estimate(Estimate)
        /// Why there is no interval, in words.
        case refused(String)
    }

    /// What varied, for the label of each interval.
    public static let varied = "batches of one run"

    /// `nil` for a run that was stopped: the batches of what it lacks are empty.
    ///
    /// - Parameter scenario: The one the run is of.
    public init?(_ result: RunResult, of scenario: Scenario, warmUp choice: WarmUpChoice = .auto) {
        guard result.stoppedAt == nil else { return nil }
        warmUp = WarmUp(result, choice: choice, isTrafficStationary: scenario.isTrafficStationary)
        let first = warmUp.batchesCut
        let mean = Entry(path: ["ttft_ms", "mean"], isMoney: false, outcome: Self.meanTTFT(result, from: first))
        entries =
            [mean]
            + Headline.allCases.map { headline in
                Entry(
                    path: headline.path, isMoney: headline == .cost,
                    outcome: Self.outcome(headline, of: result, from: first))
            }
    }

    /// The estimate of one measurement; `nil` where there is none.
    public subscript(_ keys: String...) -> Estimate? { estimate(at: keys) }

    public func estimate(at path: [String]) -> Estimate? {
        guard case .estimate(let estimate) = entries.first(where: { $0.path == path })?.outcome else { return nil }
        return estimate
    }

    private static func meanTTFT(_ result: RunResult, from first: Int) -> Outcome {
        let sums = result.batches.sums { Double($0.ttftNanoseconds) / 1e6 }
        let counts = result.batches.sums { Double($0.completed) }
        do throws(NoInterval) {
            let series = try BatchSeries(BatchRatio(Array(sums[first...]), over: Array(counts[first...])))
            return try .estimate(estimate(series))
        } catch {
            return .refused(error.reason)
        }
    }

    private static func outcome(_ headline: Headline, of result: RunResult, from first: Int) -> Outcome {
        do throws(NoInterval) {
            if headline == .ttftP99 {
                let tail = try TTFTTail(result, from: first)
                return .estimate(Estimate(tail.value, ci95: tail.bounds, varied: varied))
            }
            return try .estimate(estimate(BatchSeries(headline, of: result, from: first)))
        } catch {
            return .refused(error.reason)
        }
    }

    private static func estimate(_ series: BatchSeries) throws(NoInterval) -> Estimate {
        let interval = try series.batchMeans().interval(level: 0.95)
        return Estimate(
            series.value, ci95: Estimate.Bounds(lower: interval.lower, upper: interval.upper), varied: varied)
    }
}
