/// Where inflation of a gzip file may begin.
///
/// - Source: the method of `examples/zran.c` in zlib's distribution, by Mark Adler.
typealias GzipIndex = SparseIndex<GzipPlace>

/// The border of a deflate block, and what zlib needs to go on from there.
struct GzipPlace: Placed {
    /// Bytes of the file before the place. Of the last of them, `bits` belong to what follows.
    var input: Int
    var bits: Int32
    var position: Int
    /// The text before the place, up to 32 KiB of it.
    var window: [UInt8]
}

extension GzipIndex {
    /// At most 16 MiB of windows.
    init() { self.init(distance: 256 * 1024, capacity: 512) }
}
