/// A file of metadata and tensors in the GGUF format, its whole header checked before any tensor is read.
///
///     let file = try GGUFFile("model.gguf")
///     file.metadata.string("general.architecture")     // "llama"
///     file.tensor("token_embd.weight")?.shape          // [49152, 576]
///
/// Versions 2 and 3, little-endian. Every tensor must lie inside the file at the file's alignment, take exactly the bytes
/// of its shape, and share none with another. What opening a file keeps in memory is at most 16 times what its header
/// takes in the file, whatever counts the header announces; tensors are not read.
///
/// - Source: docs/gguf.md of github.com/ggml-org/ggml, read 2025-06.
public final class GGUFFile {
    /// How a tensor's numbers are stored. Those of other types are listed, but cannot be read here.
    public enum TensorType: UInt32, Hashable, Sendable {
        case f32 = 0
        case f16 = 1
        case q40 = 2
        case q41 = 3
        case q50 = 6
        case q51 = 7
        case q80 = 8
        case q81 = 9
        case q2K = 10
        case q3K = 11
        case q4K = 12
        case q5K = 13
        case q6K = 14
        case q8K = 15
        case i8 = 24
        case i16 = 25
        case i32 = 26
        case i64 = 27
        case f64 = 28
        case bf16 = 30

        /// Numbers that are stored together.
        public var blockSize: Int { block.size }
        /// Bytes of a block.
        public var blockBytes: Int { block.bytes }

        private var block: (size: Int, bytes: Int) {
            switch self {
            case .i8: (1, 1)
            case .f16, .bf16, .i16: (1, 2)
            case .f32, .i32: (1, 4)
            case .f64, .i64: (1, 8)
            case .q40: (32, 18)
            case .q41: (32, 20)
            case .q50: (32, 22)
            case .q51: (32, 24)
            case .q80: (32, 34)
            case .q81: (32, 36)
            case .q2K: (256, 84)
            case .q3K: (256, 110)
            case .q4K: (256, 144)
            case .q5K: (256, 176)
            case .q6K: (256, 210)
            case .q8K: (256, 292)
            }
        }

        /// As the format's documents write it, such as "Q4_0".
        public var name: String {
            let text = "\(self)".uppercased()
            return text.first == "Q" ? text.prefix(2) + "_" + text.dropFirst(2) : text
        }
    }

    /// One tensor's entry in the header.
    public struct Tensor: Hashable, Sendable {
        public var name: String
        public var type: TensorType
        /// Row-major, as elsewhere here: the last length is that of a row. The file lists it the other way round.
        public var shape: [Int]
        /// Where its bytes lie in the file.
        public var bytes: Range<Int>
    }

    public let metadata: GGUFMetadata
    /// In order of their bytes.
    public let tensors: [Tensor]
    public let version: Int
    let file: ModelFile
    private let indices: [String: Int]

    /// - Throws: ``ModelFileError`` that names the file, and the metadata key or tensor where one is to blame.
    public init(_ path: String) throws(ModelFileError) {
        file = try ModelFile(path)
        var reader = GGUFReader(file)
        guard file.size >= 24 else { throw reader.error("is too short for a GGUF header") }
        guard try reader.number(UInt32.self) == 0x4655_4747 else { throw reader.error("is no GGUF file") }
        let version = try reader.number(UInt32.self)
        guard version == 2 || version == 3 else {
            let bigEndian = version.byteSwapped == 3
            throw reader.error(bigEndian ? "is big-endian" : "is GGUF version \(version); 2 and 3 are read")
        }
        self.version = Int(version)
        let tensorCount = try reader.count(of: "tensors", bytes: 32)
        let valueCount = try reader.count(of: "metadata values", bytes: 13)
        metadata = try GGUFFile.metadata(valueCount, from: &reader)
        tensors = try GGUFFile.tensors(tensorCount, alignment: GGUFFile.alignment(metadata, file: path), from: &reader)
        indices = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    }

    public var path: String { file.path }

    public func tensor(_ name: String) -> Tensor? { indices[name].map { tensors[$0] } }

    // MARK: - Header

    private static func metadata(_ count: Int, from reader: inout GGUFReader) throws(ModelFileError) -> GGUFMetadata {
        var metadata = GGUFMetadata()
        for index in 0..<count {
            reader.part = "metadata value \(index)"
            let key = try reader.string()
            guard (1...65_535).contains(key.utf8.count) else {
                throw reader.error("has a key of \(key.utf8.count) bytes")
            }
            reader.part = key
            guard metadata.add(key, try reader.value()) else { throw reader.error("is there twice") }
        }
        reader.part = nil
        return metadata
    }

    private static func alignment(_ metadata: GGUFMetadata, file: String) throws(ModelFileError) -> Int {
        let key = "general.alignment"
        guard let value = metadata[key] else { return 32 }
        guard case .integer(let alignment) = value, (1...(1 << 30)).contains(alignment), alignment % 8 == 0,
            alignment & (alignment - 1) == 0
        else {
            throw ModelFileError(file: file, part: key, problem: "is \(value), expected a power of two from 8 on")
        }
        return alignment
    }

    private static func tensors(
        _ count: Int, alignment: Int, from reader: inout GGUFReader
    ) throws(ModelFileError) -> [Tensor] {
        // Offsets count from the end of the header, which is known after the last entry.
        var entries: [(tensor: Tensor, offset: UInt64)] = []
        entries.reserveCapacity(count)
        for index in 0..<count {
            reader.part = "tensor \(index)"
            entries.append(try entry(&reader))
        }
        reader.part = nil
        let start = (reader.position + alignment - 1) / alignment * alignment
        let dataBytes = max(0, reader.file.size - start)
        var tensors: [Tensor] = []
        tensors.reserveCapacity(count)
        for (tensor, offset) in entries {
            reader.part = tensor.name
            let size = tensor.bytes.count
            guard offset % UInt64(alignment) == 0 else {
                throw reader.error("lies at \(offset), which is not aligned to \(alignment)")
            }
            guard size <= dataBytes, offset <= UInt64(dataBytes - size) else {
                throw reader.error("takes \(size) bytes from \(offset) on, but the file has \(dataBytes) of data")
            }
            var placed = tensor
            placed.bytes = (start + Int(offset))..<(start + Int(offset) + size)
            tensors.append(placed)
        }
        tensors.sort { ($0.bytes.lowerBound, $0.name) < ($1.bytes.lowerBound, $1.name) }
        for (before, after) in zip(tensors, tensors.dropFirst()) where before.bytes.upperBound > after.bytes.lowerBound
        {
            reader.part = after.name
            throw reader.error("overlaps '\(before.name)'")
        }
        var names: Set<String> = []
        for tensor in tensors where !names.insert(tensor.name).inserted {
            reader.part = tensor.name
            throw reader.error("is there twice")
        }
        return tensors
    }

    /// A tensor's name, lengths, type and offset. Its bytes start at 0 until the end of the header is known.
    private static func entry(_ reader: inout GGUFReader) throws(ModelFileError) -> (tensor: Tensor, offset: UInt64) {
        let name = try reader.string()
        guard (1...1024).contains(name.utf8.count) else { throw reader.error("has a name of \(name.utf8.count) bytes") }
        reader.part = name
        let dimensions = try reader.number(UInt32.self)
        guard (1...4).contains(dimensions) else { throw reader.error("has \(dimensions) dimensions, expected 1 to 4") }
        var shape: [Int] = []
        var elements = 1
        for _ in 0..<dimensions {
            let length = try reader.number(UInt64.self)
            guard length > 0, let length = Int(exactly: length) else {
                throw reader.error("has a dimension of \(length)")
            }
            let (product, overflow) = elements.multipliedReportingOverflow(by: length)
            guard !overflow else { throw reader.error("has more elements than can be counted") }
            elements = product
            shape.insert(length, at: 0)
        }
        let number = try reader.number(UInt32.self)
        guard let type = TensorType(rawValue: number) else { throw reader.error("is of the unknown type \(number)") }
        guard shape.last! % type.blockSize == 0 else {
            throw reader.error("has rows of \(shape.last!), but \(type.name) stores blocks of \(type.blockSize)")
        }
        let (size, overflow) = (elements / type.blockSize).multipliedReportingOverflow(by: type.blockBytes)
        guard !overflow else { throw reader.error("has more bytes than can be counted") }
        return (Tensor(name: name, type: type, shape: shape, bytes: 0..<size), try reader.number(UInt64.self))
    }
}
