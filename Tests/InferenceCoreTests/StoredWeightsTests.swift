import CKernels
import Testing

@testable import InferenceCore

/// Random weights as a file stores them, and the floats that the format says they are.
struct EncodedWeights {
    var bytes: [UInt8] = []
    var floats: [Float] = []

    static let types: [(name: String, type: ck_weight_type, gguf: UInt32)] = [
        ("F32", ck_f32, 0), ("F16", ck_f16, 1), ("BF16", ck_bf16, 30), ("Q8_0", ck_q8_0, 8), ("Q4_0", ck_q4_0, 2),
        ("Q4_1", ck_q4_1, 3),
    ]

    /// `count` weights of -0.2 to 0.2 or so; whole blocks.
    init(_ type: ck_weight_type, count: Int, seed: Int) {
        let noise = KernelTests.noise(count, seed: seed).map { $0 * 0.2 }
        func add(half: Float) -> Float {
            bytes += GGUFBytes.bytes(Float16(half).bitPattern)
            return Float(Float16(half))
        }
        switch type {
        case ck_f16: floats = noise.map { add(half: $0) }
        case ck_bf16:
            for number in noise {
                let bits = UInt16(truncatingIfNeeded: number.bitPattern >> 16)
                bytes += GGUFBytes.bytes(bits)
                floats.append(Float(bitPattern: UInt32(bits) << 16))
            }
        case ck_q8_0:
            for first in stride(from: 0, to: count, by: 32) {
                let scale = add(half: 0.0015 + abs(noise[first]) / 1000)
                for number in noise[first..<(first + 32)] {
                    let quantum = Int8(number * 635)
                    bytes.append(UInt8(bitPattern: quantum))
                    floats.append(scale * Float(quantum))
                }
            }
        case ck_q4_0, ck_q4_1:
            for first in stride(from: 0, to: count, by: 32) {
                let scale = add(half: 0.02 + abs(noise[first]) / 100)
                let least = type == ck_q4_1 ? add(half: -0.15 + noise[first + 1] / 20) : -8 * scale
                var quanta: [Int] = []
                for number in noise[first..<(first + 32)] { quanta.append(Int((number + 0.2) * 37.4)) }
                for j in 0..<16 { bytes.append(UInt8(quanta[j] | quanta[j + 16] << 4)) }
                for quantum in quanta { floats.append(scale * Float(quantum) + least) }
            }
        default:
            floats = noise
            bytes = noise.flatMap { GGUFBytes.bytes($0.bitPattern) }
        }
    }
}

@Suite("Weights are computed as they are stored")
struct StoredWeightsTests {
    @Test(
        "A product has the bits of the product with the widened weights, in any company",
        arguments: EncodedWeights.types.indices, [(64, 32), (37, 128), (20, 160), (16, 288)])
    func product(index: Int, shape: (outputs: Int, inputs: Int)) throws {
        let (name, type, _) = EncodedWeights.types[index]
        let (outputs, inputs) = shape
        let encoded = EncodedWeights(type, count: outputs * inputs, seed: 7 + index)
        let matrix = try PackedMatrix(
            inputs: inputs, stacking: [(StoredTensor(encoded.bytes, type: type), outputs)])
        let wide = try PackedMatrix(inputs: inputs, stacking: [(StoredTensor(encoded.floats), outputs)])
        var row = [Float](repeating: 0, count: inputs)
        for output in 0..<outputs {
            matrix.copyRow(output, to: &row)
            #expect(row == Array(encoded.floats[(output * inputs)..<((output + 1) * inputs)]), "\(name) row \(output)")
        }
        let stride = matrix.paddedOutputs
        let x = KernelTests.noise(20 * inputs, seed: 6)
        for rows in [1, 2, 3, 5, 6, 7, 13, 20] {
            var y = [Float](repeating: .nan, count: rows * stride)
            var expected = y
            matrix.multiply(x, stride: inputs, rows: rows, into: &y, stride: stride)
            wide.multiply(x, stride: inputs, rows: rows, into: &expected, stride: stride)
            #expect(y == expected, "\(name), \(rows) rows")
            for r in 0..<rows {
                var alone = [Float](repeating: .nan, count: stride)
                matrix.multiply(
                    Array(x[(r * inputs)..<((r + 1) * inputs)]), stride: inputs, rows: 1, into: &alone, stride: stride)
                #expect(identical(alone, Array(y[(r * stride)..<((r + 1) * stride)])), "\(name), \(r) of \(rows)")
            }
        }
    }

    @Test("Stacked tensors of several types give what each gives alone")
    func stacked() throws {
        let types = [ck_q4_1, ck_q4_1, ck_f16, ck_q8_0]
        let outputs = [20, 7, 5, 33]
        let encoded = types.indices.map { EncodedWeights(types[$0], count: outputs[$0] * 64, seed: $0) }
        let matrix = try PackedMatrix(
            inputs: 64, stacking: types.indices.map { (StoredTensor(encoded[$0].bytes, type: types[$0]), outputs[$0]) }
        )
        let wide = try PackedMatrix(inputs: 64, stacking: [(StoredTensor(encoded.flatMap(\.floats)), 65)])
        #expect(matrix.outputs == 65 && matrix.paddedOutputs <= PackedMatrix.room(65))
        let x = KernelTests.noise(3 * 64, seed: 1)
        let stride = PackedMatrix.room(65)
        for rows in [1, 3] {
            var y = [Float](repeating: 0, count: rows * stride)
            var expected = y
            matrix.multiply(x, stride: 64, rows: rows, into: &y, stride: stride)
            wide.multiply(x, stride: 64, rows: rows, into: &expected, stride: stride)
            for r in 0..<rows {
                #expect(y[(r * stride)..<(r * stride + 65)] == expected[(r * stride)..<(r * stride + 65)])
            }
        }
        var row = [Float](repeating: 0, count: 64)
        matrix.copyRow(26, to: &row)
        #expect(row == Array(encoded[1].floats.suffix(64)))
    }

    @Test("Packed weights take the bytes of the file, when panels are full")
    func bytes() throws {
        for (name, type, gguf) in EncodedWeights.types {
            let encoded = EncodedWeights(type, count: 96 * 64, seed: 1)
            let matrix = try PackedMatrix(inputs: 64, stacking: [(StoredTensor(encoded.bytes, type: type), 96)])
            let kind = try #require(GGUFFile.TensorType(rawValue: gguf))
            #expect(kind.name == name)
            #expect(matrix.bytes == 96 * 64 / kind.blockSize * kind.blockBytes && matrix.bytes == encoded.bytes.count)
        }
    }
}
