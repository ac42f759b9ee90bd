import CGSL

/// Sobol's sequence: points that fill the unit cube evenly, each new one where the gaps are.
///
///     let sobol = SobolSequence(dimensions: 2)
///     sobol.next()    // [0.5, 0.5]
///     sobol.next()    // [0.75, 0.25]
///
/// No seed: the sequence is the same each time. Its first 2ᵏ − 1 points with the origin, which is left out, are a net:
/// every interval of length 2⁻ᵏ of every axis holds exactly one of them.
///
/// - Source: GSL `gsl_qrng_sobol`: I. Antonov, V. Saleev, "An economic method of computing LPτ-sequences", USSR
///   Comput. Math. Math. Phys. 19 (1979), with the direction numbers of P. Bratley, B. Fox, ACM TOMS 14 (1988).
public final class SobolSequence {
    /// GSL has direction numbers for so many.
    public static let mostDimensions = 40

    private let generator: UnsafeMutablePointer<gsl_qrng>
    private let dimensions: Int

    /// - Precondition: `dimensions` is in `1...mostDimensions`.
    public init(dimensions: Int) {
        precondition((1...Self.mostDimensions).contains(dimensions), "a Sobol sequence of \(dimensions) dimensions")
        _ = GSL.isQuiet
        guard let generator = cgsl_sobol_alloc(UInt32(dimensions)) else { fatalError("out of memory") }
        self.generator = generator
        self.dimensions = dimensions
    }

    deinit { gsl_qrng_free(generator) }

    /// The next point; each coordinate lies strictly between 0 and 1.
    public func next() -> [Double] {
        var point = [Double](repeating: 0, count: dimensions)
        let status = gsl_qrng_get(generator, &point)
        // 2³⁰ points: 30 bits a coordinate.
        precondition(status == 0, "a Sobol sequence has ended")
        return point
    }
}
