#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Cosines and sines of the rotary angles, position · frequency of the pair, for every position of a context.
final class RotaryTable {
    /// `[positions, frequencies]` both.
    let cosines: FloatBuffer
    let sines: FloatBuffer

    init(positions: Int, frequencies: [Double]) {
        let half = frequencies.count
        cosines = FloatBuffer(count: positions * half)
        sines = FloatBuffer(count: positions * half)
        for (i, frequency) in frequencies.enumerated() {
            for position in 0..<positions {
                cosines.base[position * half + i] = Float(cos(Double(position) * frequency))
                sines.base[position * half + i] = Float(sin(Double(position) * frequency))
            }
        }
    }
}
