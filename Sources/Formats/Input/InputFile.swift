import CZlib
import Units

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file read from front to back in chunks, inflated on the way when it is gzip (known by its first two bytes).
///
/// Memory is one chunk, however large the file or its inflated size.
final class InputFile {
    static let chunk = 256 * 1024

    /// The name to report problems under.
    let name: String
    private let handle: UnsafeMutablePointer<FILE>
    private var inflater: Inflater?
    /// The first bytes, read to recognise gzip and handed out before the rest.
    private var peeked: ArraySlice<UInt8> = []
    private var builder: DigestBuilder?

    /// The digest of the file as it lies on disk, once all of it is read; `nil` when it was not asked for.
    var digest: Digest? { builder?.digest }

    /// Opens `path`; problems are reported under `name`.
    ///
    /// - Parameter digesting: Whether to take the file's digest while reading.
    init(path: String, name: String, digesting: Bool = false) throws(InputError) {
        self.name = name
        builder = digesting ? DigestBuilder() : nil
        var status = stat()
        guard stat(path, &status) == 0 else { throw InputError(file: name, problem: .unreadable(lastErrorText())) }
        // A pipe or a device could block or never end: only plain files are read.
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw InputError(file: name, problem: .unreadable("not a plain file"))
        }
        guard let handle = fopen(path, "rb") else {
            throw InputError(file: name, problem: .unreadable(lastErrorText()))
        }
        self.handle = handle
        // Chunks are large already; the C library's own buffer would only copy them once more.
        setvbuf(handle, nil, _IONBF, 0)
        var magic: [UInt8] = [0, 0]
        let count = fread(&magic, 1, 2, handle)
        peeked = magic[..<count]
        if peeked == [0x1f, 0x8b] { inflater = Inflater(name: name) }
    }

    deinit { fclose(handle) }

    /// Fills `buffer` from its start with the next bytes; returns how many, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        guard let inflater else { return try readRaw(into: buffer) }
        return try inflater.inflate(into: buffer) { raw throws(InputError) in try self.readRaw(into: raw) }
    }

    private func readRaw(into buffer: UnsafeMutableRawBufferPointer) throws(InputError) -> Int {
        if !peeked.isEmpty {
            let count = min(peeked.count, buffer.count)
            buffer.copyBytes(from: peeked.prefix(count))
            peeked = peeked.dropFirst(count)
            builder?.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return count
        }
        let count = fread(buffer.baseAddress, 1, buffer.count, handle)
        if count == 0, ferror(handle) != 0 { throw InputError(file: name, problem: .unreadable(lastErrorText())) }
        builder?.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
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
