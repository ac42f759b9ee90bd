import Randomness
import Statistics

#if canImport(Glibc)
    import Glibc
#endif

/// How regular the gaps between requests are, apart from how the rate varies.
///
/// A renewal process of mean gap 1 in operational time, the integral of the rate: time is rescaled, so the same gaps
/// follow each other faster when the rate is high. With `.poisson` that is exactly the inhomogeneous Poisson process.
/// The process is stationary from the start (its first gap is drawn from the equilibrium law), so the expected number
/// of requests up to any time is the integral of the rate, however bursty the gaps.
///
/// - Source: Çinlar's time transformation, as in Gerhardt and Nelson, "Transforming Renewal Processes for Simulation
///   of Nonstationary Arrival Processes", INFORMS J. Computing 21 (2009).
public enum ArrivalProcess: Hashable, Sendable, Codable {
    /// Independent users: exponential gaps.
    case poisson
    /// Gamma gaps with this coefficient of variation (deviation / mean); above 1 is burstier than Poisson.
    /// Range: 0.01...100.
    case gamma(cv: Double)
    /// Weibull gaps with this coefficient of variation. Range: 0.01...100.
    case weibull(cv: Double)
    /// Equal gaps, at a random phase.
    case constant

    /// What makes the process unusable; `nil` when nothing does.
    public var problem: String? {
        switch self {
        case .poisson, .constant: nil
        case .gamma(let cv), .weibull(let cv):
            (0.01...100).contains(cv) ? nil : "a coefficient of variation of \(cv) is outside 0.01 ... 100"
        }
    }
}

/// Draws the gaps of an arrival process, in operational time.
struct GapSampler {
    private enum Law {
        case exponential
        case gamma(shape: Double, scale: Double)
        case weibull(shape: Double, scale: Double)
        case constant
    }
    private let law: Law

    init(_ process: ArrivalProcess) {
        switch process {
        case .poisson: law = .exponential
        case .gamma(let cv): law = .gamma(shape: 1 / (cv * cv), scale: cv * cv)
        case .weibull(let cv):
            let shape = weibullShape(coefficientOfVariation: cv)
            law = .weibull(shape: shape, scale: 1 / tgamma(1 + 1 / shape))
        case .constant: law = .constant
        }
    }

    /// A gap between two requests. Mean 1.
    func next(_ generator: RandomGenerator) -> Double {
        switch law {
        case .exponential: generator.exponential(mean: 1)
        case .gamma(let shape, let scale): generator.gamma(shape: shape, scale: scale)
        case .weibull(let shape, let scale): generator.weibull(scale: scale, shape: shape)
        case .constant: 1
        }
    }

    /// The gap from an arbitrary moment to the next request: a uniform part of the gap that covers the moment.
    ///
    /// A moment falls into a gap with probability in proportion to its length. So weighted, a gamma of shape k is one of
    /// shape k + 1, and a Weibull is a power of a gamma of shape 1 + 1/k.
    func first(_ generator: RandomGenerator) -> Double {
        switch law {
        case .exponential: generator.exponential(mean: 1)
        case .gamma(let shape, let scale): generator.uniform() * generator.gamma(shape: shape + 1, scale: scale)
        case .weibull(let shape, let scale):
            generator.uniform() * scale * pow(generator.gamma(shape: 1 + 1 / shape, scale: 1), 1 / shape)
        case .constant: generator.uniform()
        }
    }
}
