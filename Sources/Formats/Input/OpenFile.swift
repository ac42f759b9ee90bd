#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A plain file that is open for reading, closed with the last who holds it. It has no position: a reader says where.
final class OpenFile: Sendable {
    private let name: String
    private let descriptor: Int32

    /// Opens `path`; problems are reported under `name`.
    init(path: String, name: String) throws(InputError) {
        self.name = name
        var status = stat()
        guard stat(path, &status) == 0 else { throw InputError(file: name, problem: .unreadable(lastErrorText())) }
        // A pipe or a device could block or never end: only plain files are read.
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw InputError(file: name, problem: .unreadable("not a plain file"))
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw InputError(file: name, problem: .unreadable(lastErrorText())) }
    }

    deinit { close(descriptor) }

    func stamp() throws(InputError) -> FileStamp {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw InputError(file: name, problem: .unreadable(lastErrorText()))
        }
        return FileStamp(status)
    }

    /// Fills `buffer` from its start with the bytes from `offset` on; returns how many, 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(InputError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw InputError(file: name, problem: .unreadable(lastErrorText())) }
        }
    }
}
