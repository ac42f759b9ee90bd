import Randomness
import Statistics

#if canImport(Glibc)
    import Glibc
#endif

/// How well the parameters of synthetic traffic are known.
public struct DemandEvidence: Hashable, Sendable, Codable {
    /// Requests that rate and lengths were estimated from: their standard errors follow. At least 1.
    public var requests: Int64?
    /// Relative standard errors that are stated, in place of those that follow: of the rate and of all lengths.
    public var rate: Double?
    public var promptTokens: Double?
    public var outputTokens: Double?

    public init(
        requests: Int64? = nil, rate: Double? = nil, promptTokens: Double? = nil, outputTokens: Double? = nil
    ) {
        self.requests = requests
        self.rate = rate
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
    }
}

extension TrafficSource {
    /// The traffic as it may be in truth: number `index` of the parameters that the evidence leaves possible.
    ///
    /// Rate and lengths err independently. Without evidence the source is what it is.
    public func drawn(_ index: Int, streams: RandomStreams) -> TrafficSource {
        guard let evidence else { return self }
        let generator = streams.generator("demand", name)
        var copy = self
        let requests = evidence.requests.map(Double.init)
        generator.seek(to: 3 * index)
        if let error = evidence.rate {
            copy.rate = rate.scaled(by: generator.lognormal(logMean: 0, logDeviation: error))
        } else if let requests {
            copy.rate = rate.drawn(from: requests, arrivals: arrivals, generator)
        }
        generator.seek(to: 3 * index + 1)
        copy.promptTokens.law = promptTokens.law.drawn(from: requests, error: evidence.promptTokens, generator)
        generator.seek(to: 3 * index + 2)
        copy.outputTokens.law = outputTokens.law.drawn(from: requests, error: evidence.outputTokens, generator)
        return copy
    }
}

extension RateProfile {
    /// Each value is estimated from its own part of the requests, so it is a gamma variate around what was written: the
    /// posterior of a Poisson rate, with counts that vary by the square of the gaps' coefficient of variation.
    fileprivate func drawn(from requests: Double, arrivals: ArrivalProcess, _ generator: RandomGenerator) -> RateProfile
    {
        func drawn(_ values: [Double]) -> [Double] {
            let total = values.reduce(0, +)
            let spread = arrivals.coefficientOfVariation * arrivals.coefficientOfVariation
            guard total > 0, spread > 0 else { return values }
            return values.map { value in
                let shape = requests * value / total / spread
                return shape > 0 ? value * generator.gamma(shape: shape, scale: 1 / shape) : 0
            }
        }
        return switch self {
        case .constant(let rate): .constant(drawn([rate])[0])
        case .steps(let every, let values): .steps(every: every, values: drawn(values))
        case .linear(let every, let values): .linear(every: every, values: drawn(values))
        }
    }
}

extension ArrivalProcess {
    /// Of the gaps, in operational time.
    fileprivate var coefficientOfVariation: Double {
        switch self {
        case .poisson: 1
        case .gamma(let cv), .weibull(let cv): cv
        case .constant: 0
        }
    }
}

extension LengthLaw {
    /// - Parameters:
    ///   - requests: Lengths that the law was fitted to; `nil` takes it as exact unless `error` says otherwise.
    ///   - error: Relative standard error of all lengths together, in place of what follows from `requests`.
    fileprivate func drawn(from requests: Double?, error: Double?, _ generator: RandomGenerator) -> LengthLaw {
        if let error { return scaled(by: generator.lognormal(logMean: 0, logDeviation: error)) }
        guard let n = requests else { return self }
        // A mean errs by σ/√n, a deviation by σ/√2n: large-sample errors of normal maximum likelihood.
        let level = generator.normal(mean: 0, deviation: 1) / n.squareRoot()
        let spread = exp(generator.normal(mean: 0, deviation: 1) / (2 * n).squareRoot())
        switch self {
        case .fixed, .uniform: return self
        case .lognormal(let p50, let p99):
            let sigma = log(p99 / p50) / normalQuantile(0.99)
            let median = p50 * exp(sigma * level)
            return .lognormal(p50: median, p99: median * exp(sigma * spread * normalQuantile(0.99)))
        case .lognormalMoments(let mean, let deviation):
            let variance = log1p(deviation / mean * (deviation / mean))
            let drawn = variance * spread * spread
            let logMean = log(mean) - variance / 2 + variance.squareRoot() * level
            let newMean = exp(logMean + drawn / 2)
            return .lognormalMoments(mean: newMean, deviation: newMean * expm1(drawn).squareRoot())
        case .normal(let mean, let deviation):
            return .normal(mean: max(mean / 100, mean + deviation * level), deviation: deviation * spread)
        case .geometric(let mean):
            return .geometric(mean: max(1, mean + (mean * (mean - 1)).squareRoot() * level))
        case .quantiles(let points): return .quantiles(Self.resampled(points, n, generator))
        }
    }

    /// The shares between the points of a measured distribution, as another sample of `n` would have them.
    ///
    /// - Source: the Bayesian bootstrap, Rubin, Annals of Statistics 9 (1981): shares are Dirichlet around those seen.
    private static func resampled(_ points: [QuantilePoint], _ n: Double, _ generator: RandomGenerator)
        -> [QuantilePoint]
    {
        let ends = points.map(\.p) + [1]
        var before = 0.0
        let masses = ends.map { end -> Double in
            defer { before = end }
            return end > before ? generator.gamma(shape: n * (end - before), scale: 1) : 0
        }
        let total = masses.reduce(0, +)
        guard total > 0 else { return points }
        var sum = 0.0
        var drawn: [QuantilePoint] = []
        for (point, mass) in zip(points, masses) {
            sum += mass
            let p = min(1, sum / total)
            // A mass too small to tell two points apart leaves the longer one, which ends there.
            if let last = drawn.last, p <= last.p { drawn.removeLast() }
            drawn.append(QuantilePoint(p: p, tokens: point.tokens))
        }
        return drawn
    }

    /// All lengths `factor` times as long.
    func scaled(by factor: Double) -> LengthLaw {
        func whole(_ tokens: Int) -> Int { max(1, Int((Double(tokens) * factor).rounded())) }
        return switch self {
        case .fixed(let tokens): .fixed(whole(tokens))
        case .lognormal(let p50, let p99): .lognormal(p50: p50 * factor, p99: p99 * factor)
        case .lognormalMoments(let mean, let deviation):
            .lognormalMoments(mean: mean * factor, deviation: deviation * factor)
        case .normal(let mean, let deviation): .normal(mean: mean * factor, deviation: deviation * factor)
        case .uniform(let from, let to): .uniform(from: whole(from), to: whole(to))
        case .geometric(let mean): .geometric(mean: max(1, mean * factor))
        case .quantiles(let points):
            .quantiles(points.map { QuantilePoint(p: $0.p, tokens: Int((Double($0.tokens) * factor).rounded())) })
        }
    }
}
