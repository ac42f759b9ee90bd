/// Reads the fields of one line, byte by byte: no `String` is made unless a field is wrong.
///
/// Each function reads from the cursor and leaves it behind what it read; on failure it throws an `InputError` with
/// the line and the column of the field.
struct LineFields {
    private let bytes: UnsafeRawBufferPointer
    private let file: String
    private let line: Int
    /// The next byte to read.
    private(set) var cursor = 0

    init(_ bytes: UnsafeRawBufferPointer, file: String, line: Int) {
        self.bytes = bytes
        self.file = file
        self.line = line
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
    @inline(__always) mutating func count(_ name: String, upTo limit: Int64 = Int64(Int32.max)) throws(InputError)
        -> Int64
    {
        let first = cursor
        guard let value = digits(), value >= 1, value <= limit else {
            throw badField(name, expected: "a whole number from 1 to \(limit)", from: first)
        }
        return value
    }

    /// A time in decimal `units` (nanoseconds each) from 0 to 100 years; digits finer than a nanosecond are cut.
    @inline(__always) mutating func time(_ name: String, unit: Int64) throws(InputError) -> Int64 {
        let first = cursor
        let expected = "a time from 0 to 100 years"
        guard let whole = digits(), whole <= 3_155_760_000_000_000_000 / unit else {
            throw badField(name, expected: expected, from: first)
        }
        guard take(UInt8(ascii: ".")) else { return whole * unit }
        var (place, fraction, seen) = (unit, Int64(0), 0)
        while cursor < bytes.count, case let digit = bytes[cursor] &- 48, digit < 10 {
            place /= 10
            fraction += Int64(digit) * place
            cursor += 1
            seen += 1
        }
        guard seen > 0 else { throw badField(name, expected: expected, from: first) }
        return whole * unit + fraction
    }

    /// Digits as a number; `nil` where there are none or they pass 2⁶³ − 1.
    @inline(__always) mutating func digits() -> Int64? {
        var value: Int64 = 0
        let first = cursor
        while cursor < bytes.count, case let digit = bytes[cursor] &- 48, digit < 10 {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
            cursor += 1
        }
        return cursor > first ? value : nil
    }

    /// The byte at the cursor, `nil` at the end.
    var peek: UInt8? { cursor < bytes.count ? bytes[cursor] : nil }

    /// Steps over one byte and returns it; `nil` at the end.
    mutating func next() -> UInt8? {
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
