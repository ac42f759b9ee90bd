/// Reads the fields of one line, byte by byte: no `String` is made unless a field is wrong.
///
/// Each function reads from the cursor and leaves it behind what it read; on failure it throws an `InputError` with
/// the line and the column of the field.
struct LineFields {
    private let file: String
    private var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    private var line = 0
    /// The next byte to read.
    private(set) var cursor = 0

    /// - Parameter file: The name to report problems under.
    init(file: String) { self.file = file }

    /// Goes to the start of another line. One value serves all lines of a file: making one counts references.
    @inline(__always) mutating func begin(_ bytes: UnsafeRawBufferPointer, line: Int) {
        self.bytes = bytes
        self.line = line
        cursor = 0
    }

    var isAtEnd: Bool { cursor == bytes.count }

    /// Whether the byte at the cursor is `byte`; if so, steps over it.
    @inline(__always) mutating func take(_ byte: UInt8) -> Bool {
        guard cursor < bytes.count, bytes[cursor] == byte else { return false }
        cursor += 1
        return true
    }

    /// Steps over a separator between two of `count` fields.
    @inline(__always) mutating func separator(_ byte: UInt8 = UInt8(ascii: ","), of count: Int) throws(InputError) {
        guard take(byte) else { throw error(.wrongFieldCount(expected: count)) }
    }

    /// The line must end here.
    @inline(__always) func finish(fields count: Int) throws(InputError) {
        guard isAtEnd else { throw error(.wrongFieldCount(expected: count)) }
    }

    /// A whole number of 1 or more: digits only, up to the next byte that is none.
    @inline(__always) mutating func count(_ name: StaticString) throws(InputError) -> Int32 {
        let first = cursor
        guard let value = digits(), value >= 1, value <= Int64(Int32.max) else {
            throw badField("\(name)", expected: "a whole number from 1 to \(Int32.max)", from: first)
        }
        return Int32(value)
    }

    /// A time in decimal `units` (nanoseconds each) from 0 to 100 years; digits finer than a nanosecond are cut.
    @inline(__always) mutating func time(_ name: StaticString, unit: Int64) throws(InputError) -> Int64 {
        let first = cursor
        let expected: StaticString = "a time from 0 to 100 years"
        guard let whole = digits(), whole <= 3_155_760_000_000_000_000 / unit else {
            throw badField("\(name)", expected: "\(expected)", from: first)
        }
        guard take(UInt8(ascii: ".")) else { return whole * unit }
        var (place, fraction, seen) = (unit, Int64(0), 0)
        while cursor < bytes.count, case let digit = bytes[cursor] &- 48, digit < 10 {
            place /= 10
            fraction += Int64(digit) * place
            cursor += 1
            seen += 1
        }
        guard seen > 0 else { throw badField("\(name)", expected: "\(expected)", from: first) }
        return whole * unit + fraction
    }

    /// Digits as a number; `nil` where there are none or they pass 2⁶³ − 1.
    @inline(__always) mutating func digits() -> Int64? {
        // In a variable of its own, which can be kept in a register.
        let first = cursor
        var (at, value) = (first, UInt64(0))
        while at < bytes.count, case let digit = bytes[at] &- 48, digit < 10 {
            value = value &* 10 &+ UInt64(digit)
            at += 1
        }
        cursor = at
        // Eighteen digits always fit; more are rare enough to be read again with care.
        if cursor - first > 18 { return Int64(String(decoding: bytes[first..<cursor], as: UTF8.self)) }
        return cursor > first ? Int64(value) : nil
    }

    /// The byte at the cursor, `nil` at the end.
    @inline(__always) var peek: UInt8? { cursor < bytes.count ? bytes[cursor] : nil }

    /// Steps over all bytes that `isPassed` holds for.
    @inline(__always) mutating func skip(while isPassed: (UInt8) -> Bool) {
        var at = cursor
        while at < bytes.count, isPassed(bytes[at]) { at += 1 }
        cursor = at
    }

    /// Steps over digits, commas and spaces, eight at a time.
    @inline(__always) mutating func skipNumbersAndSeparators() {
        var at = cursor
        while bytes.count - at >= 8,
            Self.areNumbersAndSeparators(bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        {
            at += 8
        }
        cursor = at
        skip { $0 &- 48 < 10 || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") }
    }

    /// Whether each of eight bytes is a digit, a comma or a space.
    @inline(__always) private static func areNumbersAndSeparators(_ eight: UInt64) -> Bool {
        let (each, low): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x7F7F_7F7F_7F7F_7F7F)
        // The highest bit of each byte says whether that byte, less the bits of `text`, is `limit` or more.
        func isBeyond(_ text: Unicode.Scalar, _ limit: UInt64) -> UInt64 {
            let rest = eight ^ (each &* UInt64(text.value))
            return ((rest & low) &+ each &* (128 - limit)) | rest
        }
        return isBeyond("0", 10) & isBeyond(",", 1) & isBeyond(" ", 1) & ~low == 0
    }

    /// Steps over one byte and returns it; `nil` at the end.
    @inline(__always) mutating func next() -> UInt8? {
        guard let byte = peek else { return nil }
        cursor += 1
        return byte
    }

    func bytes(from first: Int, to end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[first..<end])
    }

    /// The raw bytes up to the next comma or the end.
    mutating func rawField() -> UnsafeRawBufferPointer {
        let first = cursor
        while cursor < bytes.count, bytes[cursor] != UInt8(ascii: ",") { cursor += 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[first..<cursor])
    }

    /// The next `count` bytes; `nil` where the line is shorter.
    @inline(__always) mutating func raw(count: Int) -> UnsafeRawBufferPointer? {
        guard bytes.count - cursor >= count else { return nil }
        defer { cursor += count }
        return UnsafeRawBufferPointer(rebasing: bytes[cursor..<(cursor + count)])
    }

    func error(_ problem: InputError.Problem) -> InputError {
        InputError(file: file, line: line, column: cursor + 1, problem: problem)
    }

    /// An error at the field that starts at byte `first`, with its text up to the next comma.
    func badField(_ name: String, expected: String, from first: Int) -> InputError {
        var end = first
        while end < bytes.count, bytes[end] != UInt8(ascii: ","), end - first < 40 { end += 1 }
        return InputError(
            file: file, line: line, column: first + 1,
            problem: .badField(name: name, expected: expected, found: printable(bytes[first..<end])))
    }
}

/// Bytes as a message may show them: printable ASCII as it is, all else as `\xNN`, cut after 60 bytes.
func printable(_ bytes: some Collection<UInt8>) -> String {
    bytes.prefix(60).map { byte in
        if (0x20..<0x7F).contains(byte) { return String(UnicodeScalar(byte)) }
        let digits = String(byte, radix: 16, uppercase: true)
        return "\\x" + (digits.count == 1 ? "0" : "") + digits
    }.joined() + (bytes.count > 60 ? "…" : "")
}
