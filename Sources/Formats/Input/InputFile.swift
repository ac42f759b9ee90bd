import CZlib
import Units

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file read in chunks, inflated on the way when it is gzip (known by its first two bytes).
///
/// Memory is one chunk, however large the file or its inflated size.
final class InputFile {
    static let chunk = 256 * 1024

    /// The name to report problems under.
    let name: String
    /// Of the file as it was opened.
    let stamp: FileStamp
    private let file: OpenFile
    /// The next byte of the file to read, and of the text in it.
    private var offset = 0
    private var textOffset = 0
    private let inflater: Inflater?
    /// Where inflation may begin; known to a file that is read for the second time.
    private let index: GzipIndex?
    private var builder: DigestBuilder?

    /// The digest of the file as it lies on disk, once all of it is read; `nil` when it was not asked for.
    var digest: Digest? { builder?.digest }
    /// The places found while a gzip file was read to its end; `nil` when that was not asked for, or it is no gzip.
    var foundIndex: GzipIndex? { inflater?.index }

    /// Opens `path`; problems are reported under `name`.
    ///
    /// - Parameters:
    ///   - digesting: Whether to take the file's digest while reading.
    ///   - indexing: Whether to find where `seek` may begin inflation in a gzip file.
    convenience init(path: String, name: String, digesting: Bool = false, indexing: Bool = false) throws(InputError) {
        let file = try OpenFile(path: path, name: name)
        try self.init(file, name: name, digesting: digesting, indexing: indexing, index: nil)
    }

    /// Opens a file again, whose `stamp` and index are known from an earlier reading.
    ///
    /// - Throws: Beside what cannot be read, `.changed` when its stamp is another.
    convenience init(path: String, name: String, stamp: FileStamp, index: GzipIndex?) throws(InputError) {
        let file = try OpenFile(path: path, name: name)
        try self.init(file, name: name, digesting: false, indexing: false, index: index)
        guard self.stamp == stamp else { throw InputError(file: name, problem: .changed) }
    }

    private init(
        _ file: OpenFile, name: String, digesting: Bool, indexing: Bool, index: GzipIndex?
    ) throws(InputError) {
        self.name = name
        self.file = file
        self.index = index
        stamp = try file.stamp()
        builder = digesting ? DigestBuilder() : nil
        var magic: (UInt8, UInt8) = (0, 0)
        let count: Int = try withUnsafeMutableBytes(of: &magic) { bytes throws(InputError) in
            try file.read(into: bytes, at: 0)
        }
        inflater = count == 2 && magic == (0x1f, 0x8b) ? Inflater(name: name, indexing: indexing) : nil
    }

    /// The same file at the same place, to be read independently. No digest is taken.
    init(copying other: InputFile) {
        name = other.name
        stamp = other.stamp
        file = other.file
        offset = other.offset
        textOffset = other.textOffset
        inflater = other.inflater.map { Inflater(copying: $0) }
        index = other.index
    }

    /// Fills `buffer` from its start with the next bytes of the text; returns how many, 0 at the end.
    ///
    /// - Throws: `.changed` when the file was written to since it was opened.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        let count: Int
        if let inflater {
            count = try inflater.inflate(into: buffer) { raw throws(InputError) in try self.readRaw(into: raw) }
        } else {
            count = try readRaw(into: buffer)
        }
        guard try file.stamp() == stamp else { throw InputError(file: name, problem: .changed) }
        textOffset += count
        return count
    }

    /// Goes to a byte of the text, counted from 0. In a gzip file that is not indexed, what lies before is inflated.
    func seek(to target: Int) throws(InputError) {
        guard let inflater else {
            (offset, textOffset) = (target, target)
            return
        }
        let place = index?.last { $0.position <= target }
        if target < textOffset || textOffset < place?.position ?? 0 {
            offset = place.map { $0.bits == 0 ? $0.input : $0.input - 1 } ?? 0
            textOffset = place?.position ?? 0
            try inflater.restart(at: place) { raw throws(InputError) in try self.readRaw(into: raw) }
        }
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk, alignment: 16)
        defer { scratch.deallocate() }
        while textOffset < target {
            let wanted = min(target - textOffset, scratch.count)
            if try read(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<wanted])) == 0 { return }
        }
    }

    private func readRaw(into buffer: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        let count = try file.read(into: buffer, at: offset)
        builder?.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        offset += count
        return count
    }

    /// The whole of a small file.
    ///
    /// - Parameter limit: More bytes than this, after inflation, are an error.
    static func contents(path: String, name: String, limit: Int) throws(InputError) -> [UInt8] {
        let file = try InputFile(path: path, name: name)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(chunk, limit + 1), alignment: 16)
        defer { buffer.deallocate() }
        var bytes: [UInt8] = []
        while true {
            let count = try file.read(into: buffer)
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
            if bytes.count > limit { throw InputError(file: name, problem: .tooLarge(limit: limit)) }
        }
    }
}
