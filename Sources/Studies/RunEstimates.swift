import Simulation
import Statistics

/// What several runs of one policy say together: the mean of each measurement, with its interval.
public struct RunEstimates: Hashable, Sendable {
    /// At least 2.
    public let replications: Int
    /// What varied between them, in words.
    public let varied: String
    /// In the order of the first run's measurements.
    public let entries: [Entry]

    public struct Entry: Hashable, Sendable {
        public let path: [String]
        public let estimate: Estimate
        /// Whether the estimate is an amount in USD.
        public let isMoney: Bool

        public init(path: [String], estimate: Estimate, isMoney: Bool) {
            self.path = path
            self.estimate = estimate
            self.isMoney = isMoney
        }
    }

    /// The interval that `tidegate trust` puts to the test, for each measurement that all of them have.
    ///
    /// A run without a single request has no latency: such a measurement has no estimate rather than a biased one.
    ///
    /// - Precondition: there are at least two runs.
    public init(_ runs: [[Measurement]], varied: String) {
        precondition(runs.count >= 2, "one run has no spread")
        var values: [[String]: [Double]] = [:]
        for measurement in runs.joined() {
            if let value = measurement.quantity.estimate { values[measurement.path, default: []].append(value) }
        }
        replications = runs.count
        self.varied = varied
        entries = runs[0].compactMap { measurement in
            guard let sample = values[measurement.path], sample.count == runs.count,
                let interval = Self.interval(sample, of: measurement.path, among: values)
            else { return nil }
            var isMoney = false
            if case .money = measurement.quantity { isMoney = true }
            let bounds = Estimate.Bounds(lower: interval.lower, upper: interval.upper)
            return Entry(
                path: measurement.path, estimate: Estimate(interval.estimate, ci95: bounds, varied: varied),
                isMoney: isMoney)
        }
    }

    /// The estimates of a policy's replications; `nil` for a single run.
    public init?(_ figures: [RunFigures], of scenario: Scenario) {
        guard figures.count >= 2 else { return nil }
        self.init(figures.map(\.measurements), varied: scenario.whatReplicationsVary)
    }

    /// A share of requests lies between 0 and 1, and is as sure as its requests are many.
    private static func interval(
        _ sample: [Double], of path: [String], among values: [[String]: [Double]]
    ) -> ConfidenceInterval? {
        guard path.last == "attainment" else { return .ofMean(sample, level: 0.95) }
        let arrived = values[path.dropLast() + ["arrived"]] ?? values[["requests", "arrived"]] ?? []
        return .ofShare(sample, trials: Int(arrived.reduce(0, +)), level: 0.95)
    }

    /// The estimate of one measurement; `nil` when a run lacked it.
    public subscript(_ keys: String...) -> Estimate? { entries.first { $0.path == keys }?.estimate }
}
