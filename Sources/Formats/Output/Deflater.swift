import CZlib

/// A streaming gzip encoder over zlib. The same text gives the same bytes on one build of zlib: the header holds no time
/// and no name.
///
/// - Source: RFC 1952; zlib's `deflateInit2` with 15 + 16 window bits.
final class Deflater {
    private static let chunk = 64 * 1024

    /// In memory of its own: zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private let output = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: chunk)

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let status = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "deflateInit2 returned \(status)")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    /// Takes in bytes, and hands on what comes out.
    ///
    /// - Parameter isLast: Whether the stream ends with them. Nothing may follow.
    func deflate(_ bytes: UnsafeRawBufferPointer, isLast: Bool, to sink: (UnsafeRawBufferPointer) -> Void) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        repeat {
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let status = CZlib.deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            precondition(
                status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, "deflate returned \(status)")
            sink(
                UnsafeRawBufferPointer(
                    rebasing: UnsafeRawBufferPointer(output)[..<(output.count - Int(stream.pointee.avail_out))]))
        } while stream.pointee.avail_out == 0
    }
}
