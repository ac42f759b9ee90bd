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

    private static let firstPortion = 32 * 1024

    let file: InputFile
    private let buffer: UnsafeMutableRawBufferPointer
    /// Where the buffer begins in the text.
    private var base = 0
    /// What has been read and not yet handed out, and how much of it has been searched.
    private var start = 0
    private var searched = 0
    private var end = 0
    private var ended = false
    /// How much to read next: little behind a `seek`, where perhaps little is wanted.
    private var portion = InputFile.chunk
    /// The number of the line that `next` returned last, counted from 1.
    private(set) var line = 0
    /// Whether the line that `next` returned last is the file's last and has no end.
    private(set) var isUnended = false

    var name: String { file.name }

    /// Where the next line begins: bytes of text before it.
    var position: Int { base + start }

    convenience init(path: String, name: String) throws(InputError) {
        self.init(try InputFile(path: path, name: name))
    }

    init(_ file: InputFile) {
        self.file = file
        buffer = .allocate(byteCount: Self.longestLine + InputFile.chunk, alignment: 16)
    }

    /// A scanner at the same place of the same file, which goes on by itself.
    init(copying other: LineScanner) {
        file = InputFile(copying: other.file)
        buffer = .allocate(byteCount: other.buffer.count, alignment: 16)
        (base, start, searched, end) = (other.base, other.start, other.searched, other.end)
        (ended, portion, line) = (other.ended, other.portion, other.line)
        memcpy(buffer.baseAddress!, other.buffer.baseAddress!, end)
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
                isUnended = true
                defer { start = end }
                return try content(upTo: end)
            }
            // Beyond the limit there may be no room for another chunk, and the line is an error in any case.
            if end - start > Self.longestLine { _ = try content(upTo: end) }
            try fill()
        }
    }

    /// Where the next line begins, if at least `count` bytes from there on are in memory.
    @inline(__always) func line(ofAtMost count: Int) -> UnsafePointer<UInt8>? {
        guard end - start >= count else { return nil }
        return UnsafePointer(buffer.baseAddress!.assumingMemoryBound(to: UInt8.self) + start)
    }

    /// Passes over the next line, which was read where it stands and ends, with its line end, after `count` bytes.
    @inline(__always) func stepOverLine(of count: Int) {
        start += count
        searched = start
        line += 1
    }

    /// Goes to where a line begins.
    ///
    /// - Parameters:
    ///   - position: A `position` of this text.
    ///   - number: Of the line that begins there.
    func seek(to position: Int, line number: Int) throws(InputError) {
        line = number - 1
        if position >= base, position <= base + end {
            // Still here. Searching what had been searched finds the same line ends.
            start = position - base
            searched = start
            return
        }
        do {
            try file.seek(to: position)
        } catch {
            throw InputError(file: error.file, line: number, problem: error.problem)
        }
        (base, start, searched, end, ended) = (position, 0, 0, 0, false)
        portion = Self.firstPortion
    }

    private func fill() throws(InputError) {
        // Move the unfinished line to the front; it is short, and this happens once a chunk.
        memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
        (base, start, searched, end) = (base + start, 0, searched - start, end - start)
        let count: Int
        do {
            count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end..<(end + portion)]))
        } catch {
            throw InputError(file: error.file, line: line, problem: error.problem)
        }
        portion = min(2 * portion, InputFile.chunk)
        ended = count == 0
        end += count
    }

    @inline(__always) private func content(upTo end: Int) throws(InputError) -> UnsafeRawBufferPointer {
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
