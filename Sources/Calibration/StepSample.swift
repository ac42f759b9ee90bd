import EngineModel

/// One measured step, or the median of its repeats: what it computed, and how long it took.
public struct StepSample: Hashable, Sendable {
    public var features: StepFeatures
    /// Wall time in seconds. Positive.
    public var seconds: Double

    public init(features: StepFeatures, seconds: Double) {
        self.features = features
        self.seconds = seconds
    }
}

extension ValidRange {
    /// The box that these steps span.
    public init(of samples: [StepSample]) {
        self.init(decodeSequences: 0, decodeContext: 0, prefillTokens: 0, prefillContext: 0)
        for features in samples.map(\.features) {
            decodeSequences = max(decodeSequences, features.decodeSequences)
            decodeContext = max(decodeContext, features.decodeContext)
            prefillTokens = max(prefillTokens, features.prefillTokens)
            prefillContext = max(prefillContext, features.prefillContext)
        }
    }
}

/// How far predictions lie from measurements, each error relative to its measurement.
public struct PredictionErrors: Hashable, Sendable {
    public var count: Int
    /// Median of |predicted − measured| / measured.
    public var median: Double
    /// Its 90th percentile.
    public var p90: Double
    /// Mean of (predicted − measured) / measured.
    public var bias: Double

    public init(count: Int, median: Double, p90: Double, bias: Double) {
        self.count = count
        self.median = median
        self.p90 = p90
        self.bias = bias
    }
}
