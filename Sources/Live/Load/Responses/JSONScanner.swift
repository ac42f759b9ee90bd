/// Walks over a JSON text without building anything from it.
///
/// Each function reads one value where the scanner stands and returns whether there was one; after a `false` the text is
/// not JSON, and the scanner is of no further use. Only structure is checked: a number is its characters.
struct JSONScanner {
    /// A member's key, as it is written. Keys of this API have no escapes.
    struct Key {
        let bytes: Slice<UnsafeRawBufferPointer>

        static func ~= (word: StaticString, key: Key) -> Bool {
            word.withUTF8Buffer { $0.elementsEqual(key.bytes) }
        }
    }

    /// Arrays and objects inside one another.
    static let depthLimit = 64

    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0
    private var depth = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether nothing but space is left.
    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return position == bytes.count
        }
    }

    /// Reads an object; `member` reads the value of each key.
    mutating func object(_ member: (Key, inout JSONScanner) -> Bool) -> Bool {
        sequence("{", "}") { scanner in
            guard scanner.next() == UInt8(ascii: "\"") else { return false }
            let start = scanner.position + 1
            guard scanner.string() else { return false }
            let key = Key(bytes: scanner.bytes[start..<(scanner.position - 1)])
            guard scanner.take(":") else { return false }
            scanner.skipSpace()
            return member(key, &scanner)
        }
    }

    /// Reads an array; `element` reads each of its values.
    mutating func array(_ element: (inout JSONScanner) -> Bool) -> Bool { sequence("[", "]", element) }

    /// Reads whatever value is here.
    mutating func skip() -> Bool {
        switch next() {
        case UInt8(ascii: "{"): object { $1.skip() }
        case UInt8(ascii: "["): array { $0.skip() }
        case UInt8(ascii: "\""): string()
        default: scalar()
        }
    }

    /// Reads whatever value is here, and notes that there was one.
    mutating func skip(noting isThere: inout Bool) -> Bool {
        isThere = true
        return skip()
    }

    /// Reads `null`, or leaves what is here.
    mutating func isNull() -> Bool {
        guard next() == UInt8(ascii: "n"), bytes[position...].starts(with: "null".utf8) else { return false }
        position += 4
        return true
    }

    /// Reads a count of tokens into `value`; anything but a whole number from 0 is no count, nor is what no answer can have:
    /// it would be charged.
    mutating func count(_ value: inout Int?) -> Bool {
        _ = next()
        let start = position
        guard scalar(), position - start <= 9 else { return false }
        var number = 0
        for byte in bytes[start..<position] {
            guard byte >= 0x30, byte <= 0x39 else { return false }
            number = number * 10 + Int(byte - 0x30)
        }
        value = number
        return true
    }

    /// Reads a number of milliseconds into `seconds`; a value that is no number leaves it as it is.
    mutating func milliseconds(_ seconds: inout Double?) -> Bool {
        _ = next()
        let start = position
        guard skip() else { return false }
        if let number = Double(String(decoding: bytes[start..<position], as: UTF8.self)), number.isFinite {
            seconds = number / 1000
        }
        return true
    }

    private mutating func sequence(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ item: (inout JSONScanner) -> Bool
    ) -> Bool {
        guard depth < Self.depthLimit, take(open) else { return false }
        depth += 1
        defer { depth -= 1 }
        if take(close) { return true }
        repeat {
            skipSpace()
            guard item(&self) else { return false }
        } while take(",")
        return take(close)
    }

    /// Reads a string, from quote to quote.
    private mutating func string() -> Bool {
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte < 0x20 { return false }
        }
        return false
    }

    /// What the next value is, by its first byte.
    var isString: Bool { mutating get { next() == UInt8(ascii: "\"") } }
    var isArray: Bool { mutating get { next() == UInt8(ascii: "[") } }
    var isObject: Bool { mutating get { next() == UInt8(ascii: "{") } }

    /// Reads a number or a word.
    mutating func scalar() -> Bool {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "E"):
                position += 1
            default: return position > start
            }
        }
        return position > start
    }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    /// The byte of the next value or mark; `nil` at the end.
    private mutating func next() -> UInt8? {
        skipSpace()
        return position < bytes.count ? bytes[position] : nil
    }

    private mutating func skipSpace() {
        while position < bytes.count, case let byte = bytes[position],
            byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
        { position += 1 }
    }
}
