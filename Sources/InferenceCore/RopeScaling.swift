#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How rotary frequencies are slowed so that a model reaches beyond the context it was first trained on.
public enum RopeScaling: Hashable, Sendable {
    case none
    /// All by one factor.
    case linear(factor: Double)
    /// Llama 3.1: those that turn less than `low` times within the original context by the factor, those that turn more
    /// than `high` times not at all, the others in between.
    case llama3(factor: Double, low: Double, high: Double, originalContext: Int)
    /// Each by its own divisor, one for each pair of a head: `rope_freqs.weight` of a GGUF file.
    case divisors([Double])

    /// The angle of each pair of a head that one position adds.
    ///
    /// - Source: Su et al., "RoFormer", 2021, §3.2.2; for Llama 3.1 `apply_scaling` of github.com/meta-llama/llama-models.
    func frequencies(headDimension: Int, theta: Double) -> [Double] {
        (0..<(headDimension / 2)).map { pair in
            let frequency = pow(theta, -2 * Double(pair) / Double(headDimension))
            switch self {
            case .none: return frequency
            case .linear(let factor): return frequency / factor
            case .divisors(let divisors): return frequency / divisors[pair]
            case .llama3(let factor, let low, let high, let originalContext):
                let turns = Double(originalContext) * frequency / (2 * Double.pi)
                if turns < low { return frequency / factor }
                if turns > high { return frequency }
                let share = (turns - low) / (high - low)
                return (1 - share) * frequency / factor + share * frequency
            }
        }
    }

    /// What is wrong with it for heads of a dimension; `nil` for a usable one.
    func problem(headDimension: Int) -> String? {
        func usable(_ value: Double) -> Bool { value.isFinite && value > 0 }
        switch self {
        case .none: return nil
        case .linear(let factor): return usable(factor) ? nil : "has the factor \(factor)"
        case .llama3(let factor, let low, let high, let originalContext):
            return usable(factor) && usable(low) && usable(high) && low < high && originalContext > 0
                ? nil : "has factors \(factor), \(low), \(high) and an original context of \(originalContext)"
        case .divisors(let divisors):
            if divisors.count != headDimension / 2 {
                return "has \(divisors.count) divisors for heads of \(headDimension)"
            }
            return divisors.allSatisfy(usable) ? nil : "has a divisor that is not above 0"
        }
    }
}
