import CKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file of a model, mapped to be read: its bytes are used where the system has them, and copied nowhere.
///
/// Weights are reordered as they are loaded, so the mapping is their source and is gone with this object; of what has been
/// read no page is kept. A file that another process shortens meanwhile is an error, not a signal.
final class ModelFile {
    let path: String
    /// Bytes in the file when it was opened.
    let size: Int
    private let descriptor: Int32
    /// `nil` for a file without a byte.
    private let mapping: OpaquePointer?
    private let modified: timespec

    init(_ path: String) throws(ModelFileError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ModelFileError(file: path, problem: String(cString: strerror(errno)))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ModelFileError(file: path, problem: "is not a regular file")
        }
        size = Int(status.st_size)
        modified = Self.modified(status)
        mapping = size > 0 ? ck_map(descriptor, size) : nil
        guard size == 0 || mapping != nil else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw ModelFileError(file: path, problem: "cannot be mapped: \(reason)")
        }
        self.descriptor = descriptor
    }

    deinit {
        if let mapping { ck_unmap(mapping) }
        close(descriptor)
    }

    /// Calls `body` with the bytes of a range that lies inside the file as it was opened. They are valid during the call.
    ///
    /// - Throws: ``ModelFileError`` where the file has become shorter: `body` has seen zeros then.
    func withBytes(
        at offset: Int, count: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(ModelFileError) {
        precondition(offset >= 0 && count >= 0 && offset <= size - count, "bytes \(offset) + \(count) of \(size)")
        guard let mapping, count > 0 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        body(UnsafeRawBufferPointer(start: ck_begin_access(mapping)! + offset, count: count))
        guard ck_end_access(mapping, offset, count) == 0 else {
            throw ModelFileError(file: path, problem: "became shorter while it was read: load it when it is complete")
        }
    }

    /// A copy of a range that lies inside the file.
    func bytes(at offset: Int, count: Int) throws(ModelFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        try withBytes(at: offset, count: count) { bytes = Array($0) }
        return bytes
    }

    /// - Throws: ``ModelFileError`` when the file was written to since it was opened: what was read may be of two files.
    func checkUnchanged() throws(ModelFileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) == size,
            case let now = Self.modified(status), now.tv_sec == modified.tv_sec, now.tv_nsec == modified.tv_nsec
        else {
            throw ModelFileError(file: path, problem: "was changed while it was read: load it when it is complete")
        }
    }

    private static func modified(_ status: stat) -> timespec {
        #if canImport(Darwin)
            status.st_mtimespec
        #else
            status.st_mtim
        #endif
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
