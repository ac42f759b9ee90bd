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
    /// Fills a buffer with the tensor's bytes from an offset on.
    var read: (_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws(ModelFileError) -> Void

    init(
        type: ck_weight_type,
        read: @escaping (_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws(ModelFileError) -> Void
    ) {
        self.type = type
        self.read = read
    }

    /// A tensor that lies in a file from `start` on.
    init(type: ck_weight_type, in file: ModelFile, at start: Int) {
        self.init(type: type) { (buffer, offset) throws(ModelFileError) in
            try file.read(into: buffer, at: start + offset)
        }
    }

    /// A tensor in memory.
    init(_ floats: [Float]) {
        self.init(type: ck_f32) { (buffer, offset) throws(ModelFileError) in
            floats.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset...].prefix(buffer.count)))
            }
        }
    }

    /// The numbers of a vector, which is small.
    func floats(count: Int) throws(ModelFileError) -> [Float] {
        let size = ck_sizes(type)
        precondition(size.inputs == 1, "a vector in blocks of \(size.inputs)")
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count * size.bytes, alignment: 16)
        defer { buffer.deallocate() }
        try read(buffer, 0)
        return [Float](unsafeUninitializedCapacity: count) { floats, initialized in
            switch type {
            case ck_f16: ck_widen_f16(floats.baseAddress, buffer.baseAddress, count)
            case ck_bf16: ck_widen_bf16(floats.baseAddress, buffer.baseAddress, count)
            default: UnsafeMutableRawBufferPointer(floats).copyMemory(from: UnsafeRawBufferPointer(buffer))
            }
            initialized = count
        }
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
