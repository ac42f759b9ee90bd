import Statistics

/// Reproducible normal values for tests of coverage: a 64-bit linear congruential generator, by inversion.
struct Draws {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    /// Above 0, below 1.
    mutating func uniform() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (Double(state >> 11) + 0.5) * 0x1p-53
    }

    mutating func normal() -> Double { normalQuantile(uniform()) }

    /// A stationary AR(1) process of mean 0: x' = φ·x + e, with e standard normal.
    mutating func autoregressive(_ phi: Double, count: Int) -> [Double] {
        var x = normal() / (1 - phi * phi).squareRoot()
        return (0..<count).map { _ in
            x = phi * x + normal()
            return x
        }
    }
}

/// Whether `hits` of `trials` agree with `probability`, as in 999 of 1,000 experiments they do.
func agrees(_ hits: Int, of trials: Int, with probability: Double) -> Bool {
    let interval = BinomialInterval.clopperPearson(successes: hits, trials: trials, level: 0.999)
    return interval.contains(probability)
}
