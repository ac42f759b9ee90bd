import CKernels

/// A tensor as it is stored: its type, and its bytes on demand.
struct StoredTensor {
    /// Which output of a matrix its row is.
    enum RowOrder: Hashable {
        case plain
        /// Within each head, rows (i, i + half) lie side by side: rows 2i and 2i + 1. So the GGUF files of the `llama`
        /// architecture store queries and keys, for a rotary embedding of neighbours; rotated by halves here.
        case neighbours(headDimension: Int)
    }

    var type: ck_weight_type
    var rowOrder = RowOrder.plain
    /// Calls `body` with `count` of the tensor's bytes from an offset on, wherever they lie: at any alignment.
    let withBytes: Access

    typealias Access = (
        _ offset: Int, _ count: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(ModelFileError) -> Void

    /// A tensor that lies in a file from `start` on.
    init(type: ck_weight_type, in file: ModelFile, at start: Int) {
        self.type = type
        withBytes = { (offset, count, body) throws(ModelFileError) in
            try file.withBytes(at: start + offset, count: count, body)
        }
    }

    /// A tensor in memory.
    init<Element: BitwiseCopyable>(_ elements: [Element], type: ck_weight_type = ck_f32) {
        self.type = type
        withBytes = { (offset, count, body) throws(ModelFileError) in
            elements.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[offset...].prefix(count))) }
        }
    }

    /// The numbers of a vector, which is small.
    func floats(count: Int) throws(ModelFileError) -> [Float] {
        let size = ck_sizes(type)
        precondition(size.inputs == 1, "a vector in blocks of \(size.inputs)")
        var floats: [Float] = []
        try withBytes(0, count * size.bytes) { bytes in
            floats = [Float](unsafeUninitializedCapacity: count) { floats, initialized in
                switch type {
                case ck_f16: ck_widen_f16(floats.baseAddress, bytes.baseAddress, count)
                case ck_bf16: ck_widen_bf16(floats.baseAddress, bytes.baseAddress, count)
                default: UnsafeMutableRawBufferPointer(floats).copyMemory(from: bytes)
                }
                initialized = count
            }
        }
        return floats
    }

    /// The output that row `row` is.
    func output(ofRow row: Int) -> Int {
        switch rowOrder {
        case .plain: return row
        case .neighbours(let dimension):
            let (head, place) = row.quotientAndRemainder(dividingBy: dimension)
            return head * dimension + place % 2 * (dimension / 2) + place / 2
        }
    }
}
