import CKernels

/// A matrix `[outputs, inputs]` in the order in which the kernels stream it.
///
/// Outputs lie in panels of 32, so a product of any number of rows reads the weights once, from front to back.
final class PackedMatrix {
    let outputs: Int
    let inputs: Int
    private let storage: FloatBuffer

    /// Rows of a product's result are this far apart at least.
    var paddedOutputs: Int { PackedMatrix.padded(outputs) }

    static func padded(_ outputs: Int) -> Int { (outputs + Int(CK_PANEL) - 1) / Int(CK_PANEL) * Int(CK_PANEL) }

    /// All zeros until rows are set.
    init(outputs: Int, inputs: Int) {
        self.outputs = outputs
        self.inputs = inputs
        storage = FloatBuffer(count: PackedMatrix.padded(outputs) * inputs)
    }

    /// Sets outputs from `first` on to `rows`, row-major.
    func set(_ rows: [Float], first: Int) {
        precondition(rows.count % inputs == 0 && first + rows.count / inputs <= outputs, "rows do not fit the matrix")
        ck_pack(storage.base, rows, first, rows.count / inputs, inputs)
    }

    /// Copies the weights of one output into `row`, of `inputs` floats.
    func copyRow(_ output: Int, to row: UnsafeMutablePointer<Float>) {
        precondition(output >= 0 && output < outputs, "row \(output) of \(outputs)")
        ck_unpack_row(row, storage.base, output, inputs)
    }

    /// y[r] = W · x[r] for `rows` rows, which lie `xStride` and `yStride` floats apart.
    func multiply(
        _ x: UnsafePointer<Float>, stride xStride: Int, rows: Int, into y: UnsafeMutablePointer<Float>,
        stride yStride: Int
    ) {
        ck_matmul(y, yStride, x, xStride, storage.base, rows, inputs, outputs)
    }
}
