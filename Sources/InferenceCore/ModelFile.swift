#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file of a model, open for reading at any offset.
///
/// Read rather than mapped: a mapped file that another process shortens ends this one by a signal.
final class ModelFile {
    let path: String
    /// Bytes in the file when it was opened.
    let size: Int
    private let descriptor: Int32

    init(_ path: String) throws(ModelFileError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ModelFileError(file: path, problem: String(cString: strerror(errno)))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ModelFileError(file: path, problem: "is not a regular file")
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Fills `buffer` from `offset` on.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ModelFileError) {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = count < 0 ? String(cString: strerror(errno)) : "ended while it was read"
                throw ModelFileError(file: path, problem: reason)
            }
            done += count
        }
    }

    /// The bytes of a range that lies inside the file.
    func bytes(at offset: Int, count: Int) throws(ModelFileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: ModelFileError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(ModelFileError) { try read(into: buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// All of a file of at most `limit` bytes.
    static func contents(of path: String, limit: Int) throws(ModelFileError) -> [UInt8] {
        let file = try ModelFile(path)
        guard file.size <= limit else {
            throw ModelFileError(file: path, problem: "has \(file.size) bytes, more than the \(limit) expected")
        }
        return try file.bytes(at: 0, count: file.size)
    }
}
