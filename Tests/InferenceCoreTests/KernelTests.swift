import CKernels
import Testing

@testable import InferenceCore

@Suite("Kernels")
struct KernelTests {
    /// Numbers of -1 to 1 that look random.
    static func noise(_ count: Int, seed: Int) -> [Float] {
        var floats = [Float](repeating: 0, count: count)
        ck_fill_integers(&floats, UInt64(seed), count, 1.0 / 127)
        return floats
    }

    @Test("A product is the sum of products", arguments: [(1, 5, 3), (4, 128, 32), (7, 300, 70), (23, 129, 33)])
    func product(rows: Int, inputs: Int, outputs: Int) throws {
        let (w, x) = (Self.noise(outputs * inputs, seed: 1), Self.noise(rows * inputs, seed: 2))
        let matrix = try PackedMatrix(inputs: inputs, stacking: [(StoredTensor(w), outputs)])
        var y = [Float](repeating: .nan, count: rows * matrix.paddedOutputs)
        matrix.multiply(x, stride: inputs, rows: rows, into: &y, stride: matrix.paddedOutputs)
        for r in 0..<rows {
            for o in 0..<outputs {
                let exact = (0..<inputs).reduce(0.0) { $0 + Double(x[r * inputs + $1]) * Double(w[o * inputs + $1]) }
                #expect(abs(Double(y[r * matrix.paddedOutputs + o]) - exact) < 1e-5 * Double(inputs).squareRoot())
            }
            for o in outputs..<matrix.paddedOutputs { #expect(y[r * matrix.paddedOutputs + o] == 0) }
        }
        var row = [Float](repeating: 0, count: inputs)
        matrix.copyRow(outputs - 1, to: &row)
        #expect(row == Array(w.suffix(inputs)))
    }

    @Test("A row of a product has the same bits in any company")
    func rowOrder() throws {
        let matrix = try PackedMatrix(inputs: 300, stacking: [(StoredTensor(Self.noise(64 * 300, seed: 5)), 64)])
        let x = Self.noise(20 * 300, seed: 6)
        var alone = [Float](repeating: 0, count: 64)
        for rows in 1...20 {
            var y = [Float](repeating: 0, count: rows * 64)
            matrix.multiply(x, stride: 300, rows: rows, into: &y, stride: 64)
            for r in 0..<rows {
                matrix.multiply(Array(x[(r * 300)..<((r + 1) * 300)]), stride: 300, rows: 1, into: &alone, stride: 64)
                #expect(identical(alone, Array(y[(r * 64)..<((r + 1) * 64)])), "row \(r) of \(rows)")
            }
        }
    }

    @Test("SwiGLU is silu of the gate times up, far out too")
    func swiglu() {
        let gate: [Float] = [-200, -87, -20, -3, -0.5, 0, 1e-6, 0.25, 1, 4, 15, 86, 200, 1e10, 2, 3, 4, 5]
        let up = gate.indices.map { Float($0) - 4.5 }
        var out = [Float](repeating: .nan, count: gate.count)
        ck_swiglu(nil, &out, gate.count, gate + up, 2 * gate.count, 1, gate.count)
        for i in gate.indices {
            let g = Double(gate[i])
            let exact = g / (1 + exponential(-g)) * Double(up[i])
            #expect(abs(Double(out[i]) - exact) <= 1e-6 * abs(exact) + 1e-30, "silu(\(g))")
        }
    }

    @Test("Half floats widen exactly: zeros, subnormals, extremes, infinities")
    func halves() {
        let halves: [UInt16] = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xC000, 0x7BFF, 0x7C00, 0xFC00]
        var floats = [Float](repeating: 0, count: halves.count)
        halves.withUnsafeBytes { ck_widen_f16(&floats, $0.baseAddress, halves.count) }
        #expect(floats == [0, -0.0, 0x1p-24, -1023 * 0x1p-24, 0x1p-14, 1, -2, 65504, .infinity, -.infinity])
        var nan: Float = 0
        withUnsafeBytes(of: UInt16(0x7E00)) { ck_widen_f16(&nan, $0.baseAddress, 1) }
        #expect(nan.isNaN)
    }

    @Test("The largest of equals is the first, and NaN is never the largest")
    func argmax() {
        #expect(ck_argmax([1, 5, 3, 5], 4) == 1)
        #expect(ck_argmax([.nan, -.infinity, -2, .nan], 4) == 2)
        #expect(ck_argmax([.nan, .nan], 2) == 0)
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
private func exponential(_ x: Double) -> Double { exp(x) }
