import Foundation
import Testing

@testable import InferenceCore

/// Writes GGUF files, good ones and others.
struct GGUFBytes {
    var version: UInt32 = 3
    var values: [(key: String, type: UInt32, bytes: [UInt8])] = []
    var tensors: [(name: String, dimensions: [UInt64], type: UInt32, offset: UInt64)] = []
    var tensorCount: UInt64?
    var valueCount: UInt64?
    var alignment = 32
    var data: [UInt8] = []

    static func bytes<T: FixedWidthInteger>(_ number: T) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
    static func bytes(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

    mutating func add(_ key: String, _ text: String) { values.append((key, 8, Self.bytes(text))) }
    mutating func add(_ key: String, _ integer: Int) { values.append((key, 4, Self.bytes(UInt32(integer)))) }
    mutating func add(_ key: String, _ float: Float) { values.append((key, 6, Self.bytes(float.bitPattern))) }
    mutating func add(_ key: String, array type: UInt32, count: Int, _ elements: [UInt8]) {
        values.append((key, 9, Self.bytes(type) + Self.bytes(UInt64(count)) + elements))
    }
    /// Adds a tensor after the others; `shape` row-major.
    mutating func add(_ name: String, shape: [Int], type: UInt32, _ bytes: [UInt8]) {
        tensors.append((name, shape.reversed().map { UInt64($0) }, type, UInt64(data.count)))
        data += bytes
        while data.count % alignment != 0 { data.append(0) }
    }

    var header: [UInt8] {
        var out = Array("GGUF".utf8) + Self.bytes(version)
        out += Self.bytes(tensorCount ?? UInt64(tensors.count)) + Self.bytes(valueCount ?? UInt64(values.count))
        for value in values { out += Self.bytes(value.key) + Self.bytes(value.type) + value.bytes }
        for tensor in tensors {
            out += Self.bytes(tensor.name) + Self.bytes(UInt32(tensor.dimensions.count))
            out += tensor.dimensions.flatMap { Self.bytes($0) } + Self.bytes(tensor.type) + Self.bytes(tensor.offset)
        }
        return out
    }
    var file: [UInt8] {
        var out = header
        while out.count % alignment != 0 { out.append(0) }
        return out + data
    }
}

@Suite("GGUF files")
struct GGUFFileTests {
    let path = FileManager.default.temporaryDirectory.appending(path: "tidegate-\(UUID().uuidString).gguf").path

    func open(_ bytes: [UInt8]) throws -> GGUFFile {
        try Data(bytes).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try GGUFFile(path)
    }

    static var good: GGUFBytes {
        var file = GGUFBytes()
        file.add("general.architecture", "llama")
        file.add("llama.block_count", 3)
        file.add("llama.rope.freq_base", Float(1e5))
        file.add("tokenizer.ggml.tokens", array: 8, count: 2, GGUFBytes.bytes("<s>") + GGUFBytes.bytes("Ġé"))
        file.add("tokenizer.ggml.scores", array: 6, count: 1, GGUFBytes.bytes(Float(-1.5).bitPattern))
        file.add(
            "tokenizer.ggml.token_type", array: 5, count: 2, GGUFBytes.bytes(Int32(3)) + GGUFBytes.bytes(Int32(-1)))
        file.values.append(("tokenizer.ggml.add_bos_token", 7, [1]))
        file.add("flags", array: 7, count: 2, [0, 1])
        file.add(
            "nested", array: 9, count: 1, GGUFBytes.bytes(UInt32(0)) + GGUFBytes.bytes(UInt64(2)) + [7, 8])
        file.add("a", shape: [2, 32], type: 8, [UInt8](repeating: 1, count: 68))
        file.add("b", shape: [5], type: 0, [UInt8](repeating: 0, count: 20))
        return file
    }

    @Test("Metadata and tensors are read as they are", arguments: [2, 3])
    func good(version: UInt32) throws {
        var bytes = Self.good
        bytes.version = version
        let file = try open(bytes.file)
        #expect(file.metadata.keys.count == 9)
        #expect(file.metadata.string("general.architecture") == "llama")
        #expect(file.metadata.integer("llama.block_count") == 3)
        #expect(file.metadata.double("llama.rope.freq_base") == 1e5)
        #expect(file.metadata.strings("tokenizer.ggml.tokens") == ["<s>", "Ġé"])
        #expect(file.metadata.doubles("tokenizer.ggml.scores") == [-1.5])
        #expect(file.metadata.integers("tokenizer.ggml.token_type") == [3, -1])
        #expect(file.metadata.bool("tokenizer.ggml.add_bos_token") == true)
        #expect(file.metadata["flags"] == .bools([false, true]))
        #expect(file.metadata["nested"] == .arrays([.integers([7, 8])]))
        #expect(file.metadata["absent"] == nil && file.metadata.integer("general.architecture") == nil)
        #expect(file.tensors.map(\.name) == ["a", "b"])
        #expect(file.tensor("a")?.shape == [2, 32] && file.tensor("a")?.type == .q80)
        #expect(file.tensor("a")?.type.name == "Q8_0" && file.tensor("b")?.type.name == "F32")
        #expect(file.tensor("a")?.bytes.count == 68)
    }

    /// What to spoil in the good file, and whom the error must name.
    static let faults: [(String?, @Sendable (inout GGUFBytes) -> Void)] = [
        (nil, { $0.version = 1 }), (nil, { $0.version = 4 }), (nil, { $0.version = UInt32(3).byteSwapped }),
        (nil, { $0.tensorCount = .max }), (nil, { $0.tensorCount = 1 << 40 }), (nil, { $0.valueCount = 1 << 62 }),
        ("k", { $0.values.insert(("k", 13, [0]), at: 0) }), ("k", { $0.values.insert(("k", 7, [2]), at: 0) }),
        ("k", { $0.values.insert(("k", 10, GGUFBytes.bytes(UInt64.max)), at: 0) }),
        ("k", { $0.values.insert(("k", 8, GGUFBytes.bytes(UInt64.max)), at: 0) }),
        ("k", { $0.values.insert(("k", 8, GGUFBytes.bytes(UInt64(1)) + [0xFF]), at: 0) }),
        ("k", { $0.add("k", array: 8, count: 1 << 40, []) }), ("k", { $0.add("k", array: 0, count: 1 << 40, []) }),
        ("k", { $0.add("k", array: 9, count: 1, GGUFBytes.bytes(UInt32(9)) + GGUFBytes.bytes(UInt64(0))) }),
        ("flags", { $0.add("flags", 1) }), ("general.alignment", { $0.add("general.alignment", 24) }),
        ("general.alignment", { $0.add("general.alignment", 0) }),
        ("general.alignment", { $0.add("general.alignment", "32") }),
        ("a", { $0.tensors[0].dimensions = [] }), ("a", { $0.tensors[0].dimensions = [1, 1, 1, 1, 64] }),
        ("a", { $0.tensors[0].dimensions = [32, 0] }), ("a", { $0.tensors[0].dimensions = [16, 4] }),
        ("a", { $0.tensors[0].dimensions = [32, 20] }), ("a", { $0.tensors[0].dimensions = [1 << 62, 1 << 62] }),
        ("a", { $0.tensors[0].dimensions = [32, .max] }), ("a", { $0.tensors[0].dimensions = [1 << 62] }),
        ("a", { $0.tensors[0].type = 99 }), ("a", { $0.tensors[0].offset = 8 }),
        ("a", { $0.tensors[0].offset = .max - 31 }), ("a", { $0.tensors[0].offset = 96 }),
        ("b", { $0.tensors[1].offset = 64 }), ("b", { $0.tensors[1].offset = 0 }), ("a", { $0.tensors[1].name = "a" }),
        ("b", { $0.data.removeLast(13) }),
    ]

    @Test("A file with one thing wrong is refused, naming the key or tensor", arguments: faults.indices)
    func spoiled(index: Int) throws {
        var bytes = Self.good
        let (part, spoil) = Self.faults[index]
        spoil(&bytes)
        let error = #expect(throws: ModelFileError.self) { try open(bytes.file) }
        #expect(error?.part == part, "\(error?.description ?? "none")")
    }

    @Test("A file cut anywhere is refused")
    func truncated() throws {
        let whole = Self.good.file
        for length in 0..<(whole.count - 12) {  // what follows the last tensor is padding
            #expect(throws: ModelFileError.self, "cut at \(length)") { try open(Array(whole.prefix(length))) }
        }
    }

    @Test("Text longer than the reader's window is read whole")
    func longText() throws {
        var bytes = GGUFBytes()
        let text = String(repeating: "é0123", count: 20_000)
        bytes.add("before", 1)
        bytes.add("tokenizer.chat_template", text)
        bytes.add("after", 2)
        let file = try open(bytes.file)
        #expect(file.metadata.string("tokenizer.chat_template") == text)
        #expect(file.metadata.integer("after") == 2)
    }

    @Test("The golden file lists its tokenizer", .enabled(if: GoldenData.isPresent, "\(GoldenData.missing)"))
    func tokenizer() throws {
        let file = try GGUFFile(GoldenData.folder.path + "/model-q8_0.gguf")
        #expect(file.metadata.strings("tokenizer.ggml.tokens")?.count == 288)
        #expect(file.metadata.strings("tokenizer.ggml.merges")?.count == 30)
        #expect(file.metadata.string("tokenizer.ggml.model") == "gpt2")
        #expect(file.metadata.integer("tokenizer.ggml.bos_token_id") == 256)
        #expect(file.metadata.string("tokenizer.chat_template") != nil)
    }
}
