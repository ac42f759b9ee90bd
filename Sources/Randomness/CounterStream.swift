import CGSL

/// A stream without state: the draw at an index is a pure function of seed, names and index.
///
/// For noise that must not depend on the order in which it is asked for, such as the step-time factor of a replica's
/// window of steps. Each index has one uniform, which `normal(at:)` transforms: ask an index for one of the two.
public struct CounterStream: Hashable, Sendable {
    private let seed: UInt64
    private let stream: UInt64

    /// The stream of these names under `seed`: another one than the `RandomGenerator` of the same names.
    public init(seed: UInt64, names: String...) {
        _ = GSL.isQuiet
        self.seed = seed
        stream = RandomStreams.identifier(of: ["counter"] + names)
    }

    /// The uniform number at `index`, in the open interval (0, 1).
    public func uniform(at index: UInt64) -> Double {
        let block = cgsl_philox_at(seed, stream, index)
        return cgsl_unit(block.word.0, block.word.1)
    }

    /// The standard normal number at `index`, by inversion of the uniform.
    public func normal(at index: UInt64) -> Double { gsl_cdf_ugaussian_Pinv(uniform(at: index)) }
}
