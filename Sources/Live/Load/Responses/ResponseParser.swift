/// Reads HTTP/1.1 responses of one connection from bytes in whatever pieces they come. A value without a socket.
///
/// It knows what a server of streams sends: bodies by length, in chunks, or to the end of the connection. Pieces of a
/// body are handed on as they lie in memory.
///
/// - Source: RFC 9112, sections 2, 4, 6 and 7.
struct ResponseParser {
    /// Bytes of a line of the head, or of one that gives a chunk's size; and of all lines of a head.
    static let lineLimit = 16 << 10
    static let headLimit = 64 << 10

    enum Problem: Error, Hashable, Sendable {
        /// What was received is no HTTP/1.1 response.
        case malformed
        /// Bytes came that no request asked for.
        case unasked
    }

    private enum State {
        /// No answer is expected.
        case idle
        case statusLine, field
        case length(left: Int)
        case chunkSize, chunkEnd, trailer
        case chunk(left: Int)
        /// The body ends with the connection.
        case toEnd
    }

    private var state = State.idle
    /// The part of a line that has come.
    private var line: [UInt8] = []
    private var headBytes = 0
    private var bodyLength: Int?
    private var isChunked = false

    /// Of the response that is being read.
    private(set) var status = 0
    /// Whether the connection can be used again after it.
    private(set) var keepsAlive = true

    /// A request was sent: its response comes next.
    mutating func expect() {
        state = .statusLine
        line.removeAll(keepingCapacity: true)
        (headBytes, bodyLength, isChunked, status, keepsAlive) = (0, nil, false, 0, true)
    }

    /// Takes bytes as they came.
    ///
    /// - Parameter body: Receives the pieces of the body that are in them, in order, and the status of the response.
    /// - Returns: Whether the response is complete.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, body: (_ piece: UnsafeRawBufferPointer, _ status: Int) -> Void
    ) throws(Problem) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch state {
            case .idle: throw .unasked
            case .statusLine, .field, .chunkSize, .chunkEnd, .trailer:
                guard try takeLine(&rest) else { return false }
                if try endLine() { return try ended(rest) }
            case .length(let left):
                let piece = rest.prefix(left)
                body(UnsafeRawBufferPointer(rebasing: piece), status)
                rest = rest.dropFirst(piece.count)
                state = .length(left: left - piece.count)
                if piece.count == left { return try ended(rest) }
            case .chunk(let left):
                let piece = rest.prefix(left)
                body(UnsafeRawBufferPointer(rebasing: piece), status)
                rest = rest.dropFirst(piece.count)
                state = piece.count == left ? .chunkEnd : .chunk(left: left - piece.count)
            case .toEnd:
                body(UnsafeRawBufferPointer(rebasing: rest), status)
                return false
            }
        }
        return false
    }

    /// The connection was closed by the server.
    ///
    /// - Returns: Whether that completes the response.
    mutating func end() -> Bool {
        defer { state = .idle }
        if case .toEnd = state { return true }
        return false
    }

    private mutating func ended(_ rest: Slice<UnsafeRawBufferPointer>) throws(Problem) -> Bool {
        state = .idle
        guard rest.isEmpty else { throw .unasked }
        return true
    }

    // MARK: - Lines

    /// Moves bytes up to the end of a line into `line`, without its end; `false` when there is none yet.
    private mutating func takeLine(_ rest: inout Slice<UnsafeRawBufferPointer>) throws(Problem) -> Bool {
        let end = rest.firstIndex(of: UInt8(ascii: "\n"))
        let piece = rest[..<(end ?? rest.endIndex)]
        guard line.count + piece.count <= Self.lineLimit else { throw .malformed }
        line.append(contentsOf: piece)
        guard let end else {
            rest = rest[rest.endIndex...]
            return false
        }
        rest = rest[(end + 1)...]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return true
    }

    /// Acts on a complete line.
    ///
    /// - Returns: Whether the response is complete.
    private mutating func endLine() throws(Problem) -> Bool {
        defer { line.removeAll(keepingCapacity: true) }
        switch state {
        case .statusLine: try readStatus()
        case .field:
            headBytes += line.count
            guard headBytes <= Self.headLimit else { throw .malformed }
            if line.isEmpty { return try endHead() }
            try readField()
        case .chunkSize:
            let size = try chunkSize()
            state = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            guard line.isEmpty else { throw .malformed }
            state = .chunkSize
        case .trailer:
            headBytes += line.count
            guard headBytes <= Self.headLimit else { throw .malformed }
            return line.isEmpty
        case .idle, .length, .chunk, .toEnd: break  // No lines there.
        }
        return false
    }

    private mutating func readStatus() throws(Problem) {
        // HTTP/1.1 200 OK
        guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[8] == UInt8(ascii: " "),
            let number = Self.number(line[9..<12], radix: 10), number >= 100
        else { throw .malformed }
        status = number
        keepsAlive = line[7] == UInt8(ascii: "1")
        state = .field
    }

    private mutating func readField() throws(Problem) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .malformed }
        let name = line[..<colon]
        let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
        switch name.count {
        case 14 where Self.equal(name, "content-length"):
            guard let length = Self.number(Self.trimmed(value), radix: 10), bodyLength ?? length == length else {
                throw .malformed
            }
            bodyLength = length
        case 17 where Self.equal(name, "transfer-encoding"): isChunked = Self.contains(value, "chunked")
        case 10 where Self.equal(name, "connection"):
            if Self.contains(value, "close") { keepsAlive = false }
            if Self.contains(value, "keep-alive") { keepsAlive = true }
        default: break
        }
    }

    private mutating func endHead() throws(Problem) -> Bool {
        if status < 200 {
            // The true response follows.
            expect()
            return false
        }
        if status == 204 || status == 304 { return true }
        if isChunked {
            state = .chunkSize
        } else if let bodyLength {
            state = .length(left: bodyLength)
            return bodyLength == 0
        } else {
            keepsAlive = false
            state = .toEnd
        }
        return false
    }

    /// The size of the next chunk, its extensions left out.
    private func chunkSize() throws(Problem) -> Int {
        let digits = Self.trimmed(line.prefix { $0 != UInt8(ascii: ";") })
        guard let size = Self.number(digits, radix: 16), size <= 1 << 40 else { throw .malformed }
        return size
    }

    // MARK: - Bytes

    /// A number in digits alone; `nil` where there is anything else or too much of it.
    private static func number(_ digits: ArraySlice<UInt8>, radix: Int) -> Int? {
        guard !digits.isEmpty, digits.count <= 15 else { return nil }
        var value = 0
        for byte in digits {
            let digit: Int
            switch byte {
            case 0x30...0x39: digit = Int(byte) - 0x30
            case 0x61...0x66 where radix == 16: digit = Int(byte) - 0x57
            case 0x41...0x46 where radix == 16: digit = Int(byte) - 0x37
            default: return nil
            }
            value = value * radix + digit
        }
        return value
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }

    /// Whether `text` is `word`, in whatever case.
    private static func equal(_ text: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { word in text.count == word.count && zip(text, word).allSatisfy { $0 | 0x20 == $1 } }
    }

    /// Whether `word` is in `text`, in whatever case.
    private static func contains(_ text: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard text.count >= count else { return false }
        return text.indices.dropLast(count - 1).contains { equal(text[$0..<($0 + count)], word) }
    }
}
