import CKernels

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A file of tensors in the safetensors format, its whole header checked before any tensor is read.
///
///     let file = try SafetensorsFile("model.safetensors")
///     let rows = try file.floats("model.embed_tokens.weight", shape: [288, 128])
///
/// Layout: 8 bytes little-endian header length, a JSON header, then the tensors' bytes. Every tensor must lie inside the
/// file, take exactly the bytes of its shape, and share none with another.
///
/// - Source: the format description of github.com/huggingface/safetensors, read 2025-06.
public final class SafetensorsFile {
    /// How a tensor's numbers are stored. Others may be in a file but cannot be read as floats here.
    public enum ElementType: String, Hashable, Sendable {
        case f32 = "F32"
        case f16 = "F16"
        case bf16 = "BF16"

        public var bytes: Int { self == .f32 ? 4 : 2 }
    }

    /// One tensor's entry in the header.
    public struct Tensor: Hashable, Sendable {
        public var name: String
        /// The type as the file names it.
        public var type: String
        public var shape: [Int]
        /// Where its bytes lie, counted from the end of the header.
        public var bytes: Range<Int>
    }

    /// In order of their bytes.
    public let tensors: [Tensor]
    private let indices: [String: Int]
    let file: ModelFile
    private let dataStart: Int

    /// The longest header that is read: what the format's own implementation allows.
    public static let headerLimit = 100_000_000

    /// - Throws: ``ModelFileError`` that names the file, and the tensor where one is to blame.
    public init(_ path: String) throws(ModelFileError) {
        file = try ModelFile(path)
        guard file.size >= 8 else { throw ModelFileError(file: path, problem: "is too short for a safetensors header") }
        let length = try file.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(SafetensorsFile.headerLimit), length <= UInt64(file.size - 8) else {
            throw ModelFileError(
                file: path, problem: "announces a header of \(length) bytes, but has \(file.size - 8) after its length")
        }
        dataStart = 8 + Int(length)
        let header = try SafetensorsFile.entries(try file.bytes(at: 8, count: Int(length)), file: path)
        tensors = try SafetensorsFile.checked(header, dataBytes: file.size - dataStart, file: path)
        indices = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    }

    public func tensor(_ name: String) -> Tensor? { indices[name].map { tensors[$0] } }

    /// The tensor's numbers, widened to 32 bits, in row-major order.
    ///
    /// - Throws: ``ModelFileError`` when the tensor is absent, has another shape or a type that is not F32, F16 or BF16.
    public func floats(_ name: String, shape: [Int]) throws(ModelFileError) -> [Float] {
        try stored(name, shape: shape).floats(count: shape.reduce(1, *))
    }

    /// The tensor as it is stored; the same errors.
    func stored(_ name: String, shape: [Int]) throws(ModelFileError) -> StoredTensor {
        guard let tensor = tensor(name) else {
            throw ModelFileError(file: file.path, part: name, problem: "is not in the file")
        }
        guard tensor.shape == shape else {
            throw ModelFileError(
                file: file.path, part: name, problem: "has the shape \(tensor.shape), expected \(shape)")
        }
        guard let type = ElementType(rawValue: tensor.type) else {
            throw ModelFileError(
                file: file.path, part: name, problem: "is of type \(tensor.type), expected F32, F16 or BF16")
        }
        let stored =
            switch type {
            case .f32: ck_f32
            case .f16: ck_f16
            case .bf16: ck_bf16
            }
        return StoredTensor(type: stored, in: file, at: dataStart + tensor.bytes.lowerBound)
    }

    // MARK: - Header

    private struct Header: Decodable {
        struct Entry: Decodable {
            var type: String
            var shape: [Int]
            var offsets: [Int]

            enum CodingKeys: String, CodingKey {
                case type = "dtype"
                case shape
                case offsets = "data_offsets"
            }
        }
        struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        var entries: [(name: String, entry: Entry)] = []

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            for key in container.allKeys where key.stringValue != "__metadata__" {
                entries.append((key.stringValue, try container.decode(Entry.self, forKey: key)))
            }
        }
    }

    private static func entries(_ json: [UInt8], file: String) throws(ModelFileError) -> Header {
        do {
            return try JSONDecoder().decode(Header.self, from: Data(json))
        } catch let error as DecodingError {
            throw ModelFileError(file: file, part: "header", problem: error.reason)
        } catch {
            throw ModelFileError(file: file, part: "header", problem: "is no readable JSON")
        }
    }

    private static func checked(
        _ header: Header, dataBytes: Int, file: String
    ) throws(ModelFileError) -> [Tensor] {
        var tensors: [Tensor] = []
        for (name, entry) in header.entries {
            func wrong(_ problem: String) -> ModelFileError {
                ModelFileError(file: file, part: name, problem: problem)
            }
            guard entry.offsets.count == 2 else { throw wrong("does not have two data offsets") }
            let (first, last) = (entry.offsets[0], entry.offsets[1])
            guard first >= 0, first <= last, last <= dataBytes else {
                throw wrong("lies at bytes \(first) to \(last) of \(dataBytes)")
            }
            // The size of a type that is not read here is unknown, and its shape cannot be checked.
            if let type = ElementType(rawValue: entry.type) {
                var size = type.bytes
                for length in entry.shape {
                    let (product, overflow) = size.multipliedReportingOverflow(by: length)
                    guard length >= 0, !overflow else { throw wrong("has the impossible shape \(entry.shape)") }
                    size = product
                }
                guard size == last - first else {
                    throw wrong("takes \(last - first) bytes, but \(entry.type) \(entry.shape) needs \(size)")
                }
            }
            tensors.append(Tensor(name: name, type: entry.type, shape: entry.shape, bytes: first..<last))
        }
        tensors.sort {
            ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name) < ($1.bytes.lowerBound, $1.bytes.upperBound, $1.name)
        }
        for (before, after) in zip(tensors, tensors.dropFirst()) where before.bytes.upperBound > after.bytes.lowerBound
        {
            throw ModelFileError(file: file, part: after.name, problem: "overlaps '\(before.name)'")
        }
        return tensors
    }
}
