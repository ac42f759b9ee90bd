/// Floats at a fixed address, aligned to a cache line: activations and the KV cache.
///
/// The kernels keep pointers into several buffers at once, which an `Array` does not promise to allow.
final class FloatBuffer {
    let count: Int
    let base: UnsafeMutablePointer<Float>

    /// All zeros.
    init(count: Int) {
        self.count = count
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64).bindMemory(
            to: Float.self, capacity: max(count, 1))
        base.initialize(repeating: 0, count: count)
    }

    deinit { base.deallocate() }
}

/// Bytes at a fixed address, aligned to a cache line: weights.
final class ByteBuffer {
    let count: Int
    let base: UnsafeMutableRawPointer

    /// All zeros.
    init(count: Int) {
        self.count = count
        base = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    }

    deinit { base.deallocate() }
}
