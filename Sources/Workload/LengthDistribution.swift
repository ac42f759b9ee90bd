/// How many tokens a prompt or an answer has.
public struct LengthDistribution: Hashable, Sendable, Codable {
    public var law: LengthLaw
    /// Shorter draws count as this many. `nil` is 1: a request has a prompt and an answer.
    public var minimum: Int?
    /// Longer draws count as this many; `nil` leaves the law its tail.
    public var maximum: Int?

    public init(_ law: LengthLaw, minimum: Int? = nil, maximum: Int? = nil) {
        self.law = law
        self.minimum = minimum
        self.maximum = maximum
    }

    /// Every request has the same length.
    public static func fixed(_ tokens: Int) -> LengthDistribution { LengthDistribution(.fixed(tokens)) }

    /// What makes the distribution unusable; `nil` when nothing does.
    public var problem: String? {
        let low = minimum ?? 1
        let high = maximum ?? Int(Int32.max)
        if low < 1 || high < low || high > Int(Int32.max) { return "the bounds \(low) ... \(high) are no lengths" }
        return law.problem
    }
}

/// The law of a length before its bounds. Draws of a continuous law are rounded to whole tokens.
public enum LengthLaw: Hashable, Sendable, Codable {
    case fixed(Int)
    /// A lognormal through its median and its 99th percentile, in tokens.
    case lognormal(p50: Double, p99: Double)
    /// A lognormal with this mean and standard deviation, in tokens.
    case lognormalMoments(mean: Double, deviation: Double)
    case normal(mean: Double, deviation: Double)
    /// Whole numbers from `from` to `to`, both included, equally likely.
    case uniform(from: Int, to: Int)
    /// 1, 2, 3, … with P(X > k) = (1 − 1/mean)^k.
    case geometric(mean: Double)
    /// A measured distribution: straight lines between quantiles, constant outside the first and the last.
    case quantiles([QuantilePoint])

    var problem: String? {
        func positive(_ value: Double) -> Bool { value > 0 && value <= 1e9 }
        switch self {
        case .fixed(let tokens):
            return (1...Int(Int32.max)).contains(tokens) ? nil : "a length of \(tokens) tokens"
        case .lognormal(let p50, let p99):
            return positive(p50) && positive(p99) && p99 >= p50 ? nil : "quantiles p50 \(p50), p99 \(p99)"
        case .lognormalMoments(let mean, let deviation), .normal(let mean, let deviation):
            return positive(mean) && deviation >= 0 && deviation <= 1e9 ? nil : "mean \(mean), deviation \(deviation)"
        case .uniform(let from, let to):
            return from >= 1 && to >= from && to <= Int(Int32.max) ? nil : "lengths from \(from) to \(to)"
        case .geometric(let mean):
            return mean >= 1 && mean <= 1e9 ? nil : "a geometric mean of \(mean), which starts at 1"
        case .quantiles(let points):
            if points.isEmpty { return "no quantiles" }
            if !points.allSatisfy({ (0...1).contains($0.p) && (0...Int(Int32.max)).contains($0.tokens) }) {
                return "a quantile outside 0 ... 1, or a negative length"
            }
            let ascend = zip(points, points.dropFirst()).allSatisfy { $0.p < $1.p && $0.tokens <= $1.tokens }
            return ascend ? nil : "quantiles that do not ascend"
        }
    }
}

/// One point of a measured distribution.
public struct QuantilePoint: Hashable, Sendable, Codable {
    /// The share of requests that are at most this long. Range: 0...1.
    public var p: Double
    public var tokens: Int

    public init(p: Double, tokens: Int) {
        self.p = p
        self.tokens = tokens
    }
}
