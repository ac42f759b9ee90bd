import CKernels

/// A matrix `[outputs, inputs]` in the order in which the kernels stream it, of the types that its file has.
///
/// Outputs lie in panels of 32, so a product of any number of rows reads the weights once, from front to back. Stacked
/// tensors of one type share their panels; one of another type starts a new part.
final class PackedMatrix {
    let outputs: Int
    let inputs: Int
    private let parts: [Part]

    /// Neighbouring outputs of one type.
    private struct Part {
        var type: ck_weight_type
        var first: Int
        var outputs: Int
        var storage: ByteBuffer
    }

    /// Rows of a product's result are this far apart at least.
    var paddedOutputs: Int { parts.last.map { $0.first + PackedMatrix.padded($0.outputs) } ?? 0 }

    static func padded(_ outputs: Int) -> Int { (outputs + Int(CK_PANEL) - 1) / Int(CK_PANEL) * Int(CK_PANEL) }

    /// The room for a result of so many outputs, however many parts they come in.
    static func room(_ outputs: Int) -> Int { padded(outputs) + Int(CK_PANEL) }

    /// The tensors above one another, each with its outputs.
    ///
    /// Their rows are packed a few at a time from where they lie, so that nothing but the packed weights takes memory.
    init(inputs: Int, stacking tensors: [(tensor: StoredTensor, outputs: Int)]) throws(ModelFileError) {
        self.inputs = inputs
        var parts: [Part] = []
        var outputs = 0
        var index = 0
        while index < tensors.count {
            let type = tensors[index].tensor.type
            let group = tensors[index...].prefix { $0.tensor.type == type }
            let count = group.reduce(0) { $0 + $1.outputs }
            let size = ck_sizes(type)
            precondition(inputs % size.inputs == 0, "\(inputs) inputs in blocks of \(size.inputs)")
            let storage = ByteBuffer(
                count: PackedMatrix.padded(count) / Int(CK_PANEL) * (inputs / size.inputs) * size.panel_bytes)
            var first = 0
            for (tensor, outputs) in group {
                try PackedMatrix.pack(tensor, outputs: outputs, inputs: inputs, first: first, into: storage)
                first += outputs
            }
            parts.append(Part(type: type, first: outputs, outputs: count, storage: storage))
            outputs += count
            index += group.count
        }
        self.parts = parts
        self.outputs = outputs
    }

    private static func pack(
        _ tensor: StoredTensor, outputs: Int, inputs: Int, first: Int, into storage: ByteBuffer
    ) throws(ModelFileError) {
        let size = ck_sizes(tensor.type)
        let rowBytes = inputs / size.inputs * size.bytes
        let atOnce = max(1, min(outputs, (1 << 20) / rowBytes))
        for start in stride(from: 0, to: outputs, by: atOnce) {
            let count = min(atOnce, outputs - start)
            try tensor.withBytes(start * rowBytes, count * rowBytes) { rows in
                for row in 0..<count {
                    let output = first + tensor.output(ofRow: start + row)
                    ck_pack(storage.base, tensor.type, rows.baseAddress! + row * rowBytes, output, inputs)
                }
            }
        }
    }

    /// Bytes of memory that the weights take.
    var bytes: Int { parts.reduce(0) { $0 + $1.storage.count } }

    /// Copies the weights of one output into `row`, of `inputs` floats.
    func copyRow(_ output: Int, to row: UnsafeMutablePointer<Float>) {
        precondition(output >= 0 && output < outputs, "row \(output) of \(outputs)")
        let part = parts.last { $0.first <= output }!
        ck_unpack_row(row, part.type, part.storage.base, output - part.first, inputs)
    }

    /// y[r] = W · x[r] for `rows` rows, which lie `xStride` and `yStride` floats apart.
    func multiply(
        _ x: UnsafePointer<Float>, stride xStride: Int, rows: Int, into y: UnsafeMutablePointer<Float>,
        stride yStride: Int, pool: OpaquePointer? = nil
    ) {
        precondition(yStride >= paddedOutputs, "rows \(yStride) apart for \(paddedOutputs) outputs")
        // In order: what pads a part's last panel is overwritten by the next part.
        for part in parts {
            ck_matmul(
                pool, y + part.first, yStride, x, xStride, part.type, part.storage.base, rows, inputs, part.outputs)
        }
    }
}
