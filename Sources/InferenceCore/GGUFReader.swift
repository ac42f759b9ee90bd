/// Reads a GGUF header from front to back, a window at a time, and never past the end.
///
/// Every count is checked against the bytes that are left before anything is reserved for it.
struct GGUFReader {
    let file: ModelFile
    /// Where the next byte is read.
    private(set) var position = 0
    private var window: [UInt8] = []
    private var windowStart = 0
    /// What is being read, for an error to name.
    var part: String?

    private static let windowSize = 1 << 16

    init(_ file: ModelFile) { self.file = file }

    var remaining: Int { file.size - position }

    func error(_ problem: String) -> ModelFileError { ModelFileError(file: file.path, part: part, problem: problem) }

    // MARK: - Numbers and strings

    /// A little-endian number.
    mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws(ModelFileError) -> T {
        let first = try take(MemoryLayout<T>.size)
        return window.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: first, as: T.self)) }
    }

    /// A count of things that take at least `bytes` each in the rest of the file.
    mutating func count(of things: String, bytes: Int) throws(ModelFileError) -> Int {
        let count = try number(UInt64.self)
        guard count <= UInt64(remaining / bytes) else {
            throw error("announces \(count) \(things), but only \(remaining) bytes follow")
        }
        return Int(count)
    }

    /// A length and so many bytes of UTF-8.
    mutating func string() throws(ModelFileError) -> String {
        let count = try count(of: "bytes of text", bytes: 1)
        let first: Int
        if count > GGUFReader.windowSize {
            window = try file.bytes(at: position, count: count)
            windowStart = position
            position += count
            first = 0
        } else {
            first = try take(count)
        }
        guard let text = String(validating: window[first..<(first + count)], as: UTF8.self) else {
            throw error("holds text that is no UTF-8")
        }
        return text
    }

    /// The index in the window of the next `count` bytes, at most a window's.
    private mutating func take(_ count: Int) throws(ModelFileError) -> Int {
        guard count <= remaining else { throw error("ends in the middle: \(count) bytes wanted, \(remaining) left") }
        if position - windowStart + count > window.count {
            window = try file.bytes(at: position, count: min(GGUFReader.windowSize, remaining))
            windowStart = position
        }
        let first = position - windowStart
        position += count
        return first
    }

    // MARK: - Values

    /// A value's type as the file numbers it.
    private enum ValueType: UInt32 {
        case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

        /// The least bytes a value takes.
        var bytes: Int {
            switch self {
            case .uint8, .int8, .bool: 1
            case .uint16, .int16: 2
            case .uint32, .int32, .float32: 4
            case .uint64, .int64, .float64, .string: 8
            case .array: 12
            }
        }
    }

    /// A type and a value of it.
    mutating func value() throws(ModelFileError) -> GGUFValue {
        let type = try valueType()
        switch type {
        case .float32, .float64: return .double(try double(type))
        case .bool: return .bool(try bool())
        case .string: return .string(try string())
        case .array: return try array(mayNest: true)
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: return .integer(try integer(type))
        }
    }

    private mutating func valueType() throws(ModelFileError) -> ValueType {
        let number = try number(UInt32.self)
        guard let type = ValueType(rawValue: number) else { throw error("is of the unknown value type \(number)") }
        return type
    }

    private mutating func array(mayNest: Bool) throws(ModelFileError) -> GGUFValue {
        let type = try valueType()
        let count = try count(of: "elements", bytes: type.bytes)
        switch type {
        case .float32, .float64:
            return .doubles(try elements(count) { (reader) throws(ModelFileError) in try reader.double(type) })
        case .bool:
            return .bools(try elements(count) { (reader) throws(ModelFileError) in try reader.bool() })
        case .string:
            return .strings(try elements(count) { (reader) throws(ModelFileError) in try reader.string() })
        case .array:
            guard mayNest else { throw error("nests arrays deeper than once") }
            return .arrays(
                try elements(count) { (reader) throws(ModelFileError) in try reader.array(mayNest: false) })
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64:
            return .integers(try elements(count) { (reader) throws(ModelFileError) in try reader.integer(type) })
        }
    }

    private mutating func elements<T>(
        _ count: Int, _ element: (inout GGUFReader) throws(ModelFileError) -> T
    ) throws(ModelFileError) -> [T] {
        var elements: [T] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }

    private mutating func integer(_ type: ValueType) throws(ModelFileError) -> Int {
        switch type {
        case .uint8: return Int(try number(UInt8.self))
        case .int8: return Int(try number(Int8.self))
        case .uint16: return Int(try number(UInt16.self))
        case .int16: return Int(try number(Int16.self))
        case .uint32: return Int(try number(UInt32.self))
        case .int32: return Int(try number(Int32.self))
        case .int64: return Int(try number(Int64.self))
        case .uint64:
            let value = try number(UInt64.self)
            guard let integer = Int(exactly: value) else { throw error("is \(value), more than 63 bits hold") }
            return integer
        case .float32, .float64, .bool, .string, .array: preconditionFailure("\(type) is no integer")
        }
    }

    private mutating func double(_ type: ValueType) throws(ModelFileError) -> Double {
        type == .float32
            ? Double(Float(bitPattern: try number(UInt32.self))) : Double(bitPattern: try number(UInt64.self))
    }

    private mutating func bool() throws(ModelFileError) -> Bool {
        let byte = try number(UInt8.self)
        guard byte <= 1 else { throw error("is a bool of value \(byte)") }
        return byte == 1
    }
}
