import CGSL

/// One stream of random numbers, and the variates drawn from it.
///
/// The generator is Philox4x32-10: key = the run's seed, counter = (stream, item, block of draws). `seek(to:)` goes to
/// the draws of one item in O(1), so that request 17 has the same lengths whatever was drawn for the sixteen before it:
///
///     lengths.seek(to: request)
///     let prompt = lengths.lognormal(logMean: 6.9, logDeviation: 0.6)
///
/// Variates with a known quantile function are drawn by inversion, one uniform each: they move smoothly and in one
/// direction with their parameters, which keeps paired comparisons paired. `gamma` and `poisson` reject, and so use a
/// varying number of draws: give each purpose its own stream or its own item.
///
/// A reference, because it owns a GSL generator; it is not `Sendable`: one run, one task.
public final class RandomGenerator {
    private let generator: UnsafeMutablePointer<gsl_rng>
    private let state: UnsafeMutablePointer<cgsl_stream>

    init(seed: UInt64, stream: UInt64) {
        _ = GSL.isQuiet
        guard let generator = cgsl_stream_alloc(seed, stream), let state = cgsl_stream_of(generator) else {
            fatalError("out of memory")
        }
        self.generator = generator
        self.state = state
    }

    deinit { gsl_rng_free(generator) }

    /// Goes to the first draw of item `index`. An item holds 2³³ uniforms, then runs into the next one.
    ///
    /// - Precondition: `index` is in `0 ..< 2³²`.
    public func seek(to index: Int) {
        precondition(index >= 0 && index >> 32 == 0, "item \(index) is outside 0 ..< 2^32")
        cgsl_stream_seek(state, UInt64(index) << 32)
    }

    /// A uniform number in the open interval (0, 1), on a grid of 2⁻⁵².
    public func uniform() -> Double { cgsl_stream_unit(state) }

    /// A uniform whole number in `0 ..< n`, without bias.
    ///
    /// - Precondition: `n > 0`.
    /// - Source: D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29 (2019).
    public func uniform(below n: Int) -> Int {
        precondition(n > 0, "nothing is below \(n)")
        let range = UInt64(n)
        var product = range.multipliedFullWidth(by: cgsl_stream_bits(state))
        if product.low < range {
            let threshold = (0 &- range) % range
            while product.low < threshold { product = range.multipliedFullWidth(by: cgsl_stream_bits(state)) }
        }
        return Int(product.high)
    }
}

/// GSL as this module needs it: it answers with codes and NaN, and never aborts the process.
enum GSL {
    static let isQuiet: Bool = {
        _ = gsl_set_error_handler_off()
        return true
    }()
}

extension RandomGenerator {
    /// GSL's view of the stream, for its rejection samplers.
    var gsl: UnsafeMutablePointer<gsl_rng> { generator }
}
