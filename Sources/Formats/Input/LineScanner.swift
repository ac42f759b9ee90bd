import Units

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The lines of a file as bytes, without a copy or a `String` per line.
///
/// A line ends at LF or CR LF or the end of the file; a byte order mark at the start is skipped.
final class LineScanner {
    /// Longer lines are an error: the longest record known here, a Mooncake line with its block ids, is near 2 kB.
    static let longestLine = 256 * 1024

    private let file: InputFile
    private let buffer: UnsafeMutableRawBufferPointer
    /// What has been read and not yet handed out, and how much of it has been searched.
    private var start = 0
    private var searched = 0
    private var end = 0
    private var ended = false
    /// The number of the line that `next` returned last, counted from 1.
    private(set) var line = 0

    var name: String { file.name }

    /// The digest of the file, once all of it is read; `nil` when it was not asked for.
    var digest: Digest? { file.digest }

    init(path: String, name: String, digesting: Bool = false) throws(InputError) {
        file = try InputFile(path: path, name: name, digesting: digesting)
        buffer = .allocate(byteCount: Self.longestLine + InputFile.chunk, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// The next line without its ending, valid until the next call; `nil` at the end.
    func next() throws(InputError) -> UnsafeRawBufferPointer? {
        line += 1
        while true {
            if let newline = memchr(buffer.baseAddress! + searched, 0x0A, end - searched) {
                let at = UnsafeRawPointer(newline) - UnsafeRawPointer(buffer.baseAddress!)
                defer {
                    start = at + 1
                    searched = start
                }
                return try content(upTo: at)
            }
            searched = end
            if ended {
                guard end > start else { return nil }
                defer { start = end }
                return try content(upTo: end)
            }
            // Beyond the limit there may be no room for another chunk, and the line is an error in any case.
            if end - start > Self.longestLine { _ = try content(upTo: end) }
            try fill()
        }
    }

    private func fill() throws(InputError) {
        // Move the unfinished line to the front; it is short, and this happens once a chunk.
        memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
        (start, searched, end) = (0, searched - start, end - start)
        let count: Int
        do {
            count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
        } catch {
            throw InputError(file: error.file, line: line, problem: error.problem)
        }
        ended = count == 0
        end += count
    }

    private func content(upTo end: Int) throws(InputError) -> UnsafeRawBufferPointer {
        guard end - start <= Self.longestLine else {
            throw InputError(file: name, line: line, problem: .lineTooLong(limit: Self.longestLine))
        }
        var (first, last) = (start, end)
        if line == 1, last - first >= 3, buffer[first] == 0xEF, buffer[first + 1] == 0xBB, buffer[first + 2] == 0xBF {
            first += 3
        }
        if last > first, buffer[last - 1] == 0x0D { last -= 1 }
        return UnsafeRawBufferPointer(rebasing: buffer[first..<last])
    }
}
