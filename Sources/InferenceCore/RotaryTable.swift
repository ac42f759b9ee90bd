#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Cosines and sines of the rotary angles, position · θ^(−2i/d), for every position of a context.
///
/// - Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021, §3.2.2.
final class RotaryTable {
    private let half: Int
    private let cosines: FloatBuffer
    private let sines: FloatBuffer

    init(positions: Int, headDimension: Int, theta: Double) {
        half = headDimension / 2
        cosines = FloatBuffer(count: positions * half)
        sines = FloatBuffer(count: positions * half)
        for i in 0..<half {
            let frequency = pow(theta, -2 * Double(i) / Double(headDimension))
            for position in 0..<positions {
                cosines.base[position * half + i] = Float(cos(Double(position) * frequency))
                sines.base[position * half + i] = Float(sin(Double(position) * frequency))
            }
        }
    }

    func cosines(at position: Int) -> UnsafePointer<Float> { UnsafePointer(cosines.base + position * half) }
    func sines(at position: Int) -> UnsafePointer<Float> { UnsafePointer(sines.base + position * half) }
}
