/// A reader of one JSON text that hands its members over as it meets them, and keeps none of them.
///
/// For tokenizers and for what clients send: a vocabulary of 150,000 names is walked once, a name that comes twice is
/// seen, and what is wrong has its byte. Nothing is allocated but the strings asked for; nesting deeper than 32 is refused.
package struct JSONReader {
    package struct Failure: Error {
        package var offset: Int
        package var problem: String
    }

    private let bytes: [UInt8]
    private(set) var offset = 0
    private var depth = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package func failure(_ problem: String) -> Failure { Failure(offset: offset, problem: problem) }

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[offset]) { offset += 1 }
    }

    /// The next byte that is no white space, which stays.
    package mutating func peek() throws(Failure) -> UInt8 {
        skipSpace()
        guard offset < bytes.count else { throw failure("ends too early") }
        return bytes[offset]
    }

    private mutating func take(_ byte: UInt8) throws(Failure) {
        guard try peek() == byte else { throw failure("has no '\(Character(Unicode.Scalar(byte)))' where one must be") }
        offset += 1
    }

    private mutating func takes(_ byte: UInt8) throws(Failure) -> Bool {
        guard try peek() == byte else { return false }
        offset += 1
        return true
    }

    /// Nothing but white space may follow.
    package mutating func end() throws(Failure) {
        skipSpace()
        guard offset == bytes.count else { throw failure("goes on after its end") }
    }

    /// Calls `body` with each key; it must read the value.
    package mutating func object(_ body: (String, inout JSONReader) throws(Failure) -> Void) throws(Failure) {
        try enter(0x7B)
        if try !takes(0x7D) {
            repeat {
                let key = try string()
                try take(0x3A)
                try body(key, &self)
            } while try takes(0x2C)
            try take(0x7D)
        }
        depth -= 1
    }

    /// Calls `body` before each element; it must read it.
    package mutating func array(_ body: (inout JSONReader) throws(Failure) -> Void) throws(Failure) {
        try enter(0x5B)
        if try !takes(0x5D) {
            repeat { try body(&self) } while try takes(0x2C)
            try take(0x5D)
        }
        depth -= 1
    }

    private mutating func enter(_ bracket: UInt8) throws(Failure) {
        try take(bracket)
        depth += 1
        guard depth <= 32 else { throw failure("is nested too deep") }
    }

    package mutating func string() throws(Failure) -> String {
        try take(0x22)
        let start = offset
        while offset < bytes.count, bytes[offset] != 0x22, bytes[offset] != 0x5C, bytes[offset] >= 0x20 { offset += 1 }
        guard offset < bytes.count else { throw failure("ends inside a string") }
        if bytes[offset] == 0x22 {
            offset += 1
            return try text(bytes[start..<(offset - 1)], from: start)
        }
        var decoded = Array(bytes[start..<offset])
        while true {
            guard offset < bytes.count else { throw failure("ends inside a string") }
            let byte = bytes[offset]
            guard byte >= 0x20 else { throw failure("has the control character \(byte) inside a string") }
            offset += 1
            if byte == 0x22 { break }
            if byte == 0x5C { try escape(into: &decoded) } else { decoded.append(byte) }
        }
        return try text(decoded[...], from: start)
    }

    private func text(_ bytes: ArraySlice<UInt8>, from start: Int) throws(Failure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(offset: start, problem: "has a string that is not UTF-8")
        }
        return text
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(Failure) {
        guard offset < bytes.count else { throw failure("ends inside a string") }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case 0x22, 0x5C, 0x2F: decoded.append(byte)
        case 0x62: decoded.append(8)
        case 0x66: decoded.append(12)
        case 0x6E: decoded.append(10)
        case 0x72: decoded.append(13)
        case 0x74: decoded.append(9)
        case 0x75:
            var code = try fourDigits()
            if code >> 10 == 0x36, offset + 1 < bytes.count, bytes[offset] == 0x5C, bytes[offset + 1] == 0x75 {
                offset += 2
                let low = try fourDigits()
                guard low >> 10 == 0x37 else { throw failure("has half of a surrogate pair") }
                code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("has half of a surrogate pair") }
            decoded.append(contentsOf: UTF8.encode(scalar)!)
        default: throw failure("has an unknown escape")
        }
    }

    private mutating func fourDigits() throws(Failure) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw failure("ends inside a string") }
        var code: UInt32 = 0
        for byte in bytes[offset..<(offset + 4)] {
            guard byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("has an escape that is not four digits")
            }
            code = code << 4 | UInt32(digit)
        }
        offset += 4
        return code
    }

    /// A number's own text.
    package mutating func number() throws(Failure) -> Substring {
        _ = try peek()
        let start = offset
        while offset < bytes.count, "+-.eE0123456789".utf8.contains(bytes[offset]) { offset += 1 }
        guard offset > start, offset - start < 64 else { throw failure("has no number where one must be") }
        return Substring(decoding: bytes[start..<offset], as: UTF8.self)
    }

    package mutating func integer() throws(Failure) -> Int {
        guard let value = Int(try number()) else { throw failure("has a number that is no whole one") }
        return value
    }

    package mutating func bool() throws(Failure) -> Bool {
        let isTrue = try peek() == 0x74
        try word(isTrue ? "true" : "false")
        return isTrue
    }

    package mutating func null() throws(Failure) { try word("null") }

    private mutating func word(_ word: StaticString) throws(Failure) {
        let length = word.utf8CodeUnitCount
        guard offset + length <= bytes.count,
            bytes[offset..<(offset + length)].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: length))
        else { throw failure("has something unreadable") }
        offset += length
    }

    /// Any value, as a tree.
    mutating func value() throws(Failure) -> JSONValue {
        switch try peek() {
        case 0x22: return .string(try string())
        case 0x7B:
            var members: [(String, JSONValue)] = []
            try object { (key, reader) throws(Failure) in members.append((key, try reader.value())) }
            return .object(members)
        case 0x5B:
            var elements: [JSONValue] = []
            try array { (reader) throws(Failure) in elements.append(try reader.value()) }
            return .array(elements)
        case 0x74, 0x66: return .bool(try bool())
        case 0x6E:
            try null()
            return .null
        default:
            guard let value = Double(try number()) else { throw failure("has a number that is none") }
            return .number(value)
        }
    }

    mutating func skip() throws(Failure) { _ = try value() }
}

/// A small JSON value; big arrays are read one element at a time instead.
enum JSONValue {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(String, JSONValue)])

    subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.0.utf8.elementsEqual(key.utf8) }?.1
    }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var isTrue: Bool? { if case .bool(let value) = self { value } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    /// The member `type`, by which parts of a `tokenizer.json` name what they are.
    var type: String? { self["type"]?.text }
    var isNull: Bool { if case .null = self { true } else { false } }
}
