import CKernels

/// Bytes at a fixed address, aligned to a cache line, all zeros at first: weights.
///
/// The kernels keep pointers into several buffers at once, which an `Array` does not promise to allow.
final class ByteBuffer {
    let count: Int
    let base: UnsafeMutableRawPointer

    init(count: Int) {
        self.count = count
        guard let base = ck_allocate(max(count, 1)) else { fatalError("there is no memory for \(count) bytes") }
        self.base = base
    }

    deinit { ck_free(base) }
}

/// Floats at a fixed address, aligned to a cache line, all zeros at first: activations and the KV cache.
final class FloatBuffer {
    let count: Int
    let base: UnsafeMutablePointer<Float>
    private let bytes: ByteBuffer

    init(count: Int) {
        self.count = count
        bytes = ByteBuffer(count: count * MemoryLayout<Float>.stride)
        base = bytes.base.bindMemory(to: Float.self, capacity: max(count, 1))
    }
}
