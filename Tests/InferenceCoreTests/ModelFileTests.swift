import Foundation
import Testing

@testable import InferenceCore

@Suite("Model files")
struct ModelFileTests {
    let path = FileManager.default.temporaryDirectory.appending(path: "tidegate-\(UUID().uuidString)").path

    /// Runs `body` on a file of these bytes.
    func with(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        try Data(bytes).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    /// A safetensors file of this header and so many bytes of data.
    func file(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
        let length = length ?? UInt64(header.utf8.count)
        let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        return prefix + Array(header.utf8) + (0..<data).map { UInt8($0 % 251) }
    }

    static let good = """
        {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},\
        "b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}
        """

    @Test("A good file gives its numbers")
    func good() throws {
        let header = #"{"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}"#
        let bytes = Array(file(header, data: 0)) + [0x80, 0x3F, 0x00, 0xC0, 0x00, 0x00]
        try with(bytes) { path in
            let numbers = try SafetensorsFile(path).floats("b", shape: [3])
            #expect(numbers == [1, -2, 0])
        }
    }

    @Test(
        "A wrong header is refused, naming the tensor",
        arguments: [
            (#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,20]}}"#, "a"),  // not the shape's bytes
            (#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}"#, "a"),  // past the end
            (#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[-16,0]}}"#, "a"),
            (#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[16,0]}}"#, "a"),
            (#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0]}}"#, "a"),
            (#"{"a":{"dtype":"F32","shape":[-2,-2],"data_offsets":[0,16]}}"#, "a"),
            (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, "a"),
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                "b"
            ),
            (#"{"a":{"dtype":"F32","shape":[1]}}"#, "header"), (#"{"a":7}"#, "header"), ("[]", "header"),
            ("{", "header"),
            (#"{"a":{"dtype":"F32","shape":[1e99],"data_offsets":[0,4]}}"#, "header"),
        ])
    func wrong(header: String, part: String) throws {
        try with(file(header, data: 22)) { path in
            let error = #expect(throws: ModelFileError.self) { try SafetensorsFile(path) }
            #expect(error?.part == part)
            #expect(error?.file == path)
        }
    }

    @Test("A file that is shortened while it is read is an error that says so, and no signal")
    func shortened() throws {
        let numbers = [Float](repeating: 1, count: 100_000)
        let header = #"{"a":{"dtype":"F32","shape":[100000],"data_offsets":[0,400000]}}"#
        let bytes = file(header, data: 0) + numbers.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
        for left in [0, 4096, 4097, 200_000] {
            try with(bytes) { path in
                let file = try SafetensorsFile(path)
                #expect(truncate(path, left) == 0)
                let error = #expect(throws: ModelFileError.self) { try file.floats("a", shape: [100_000]) }
                #expect(error?.file == path)
                #expect(error?.problem.contains("became shorter") == true)
            }
        }
        // Whole ones are read as before.
        try with(bytes) { path in
            let whole = try SafetensorsFile(path).floats("a", shape: [100_000])
            #expect(whole == numbers)
        }
    }

    @Test("A file that is written to while it is read is refused")
    func changed() throws {
        try with(file(Self.good, data: 22)) { path in
            let file = try ModelFile(path)
            try file.checkUnchanged()
            // Times of files advance with the system's tick.
            usleep(20_000)
            try Data([1]).write(to: URL(filePath: path + ".other"))
            try file.checkUnchanged()
            let handle = try FileHandle(forWritingTo: URL(filePath: path))
            try handle.write(contentsOf: [9])
            try handle.close()
            #expect(throws: ModelFileError.self) { try file.checkUnchanged() }
            try FileManager.default.removeItem(atPath: path + ".other")
        }
    }

    @Test("A header longer than the file is refused", arguments: [UInt64.max, 1 << 63, 100_000_001, 10_000])
    func headerLength(length: UInt64) throws {
        try with(file(Self.good, data: 22, length: length)) { path in
            #expect(throws: ModelFileError.self) { try SafetensorsFile(path) }
        }
    }

    @Test("Another shape, another type and an absent tensor are refused by name")
    func tensors() throws {
        let header =
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"i":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#
        try with(file(header, data: 16)) { path in
            let file = try SafetensorsFile(path)
            #expect(throws: ModelFileError(file: path, part: "a", problem: "has the shape [2], expected [1, 2]")) {
                try file.floats("a", shape: [1, 2])
            }
            #expect(throws: ModelFileError(file: path, part: "i", problem: "is of type I64, expected F32, F16 or BF16"))
            {
                try file.floats("i", shape: [1])
            }
            #expect(throws: ModelFileError(file: path, part: "z", problem: "is not in the file")) {
                try file.floats("z", shape: [1])
            }
        }
    }

    @Test("A file cut anywhere is refused or complete, and never a crash")
    func truncated() throws {
        let whole = file(Self.good, data: 22)
        for length in 0..<whole.count {
            try with(Array(whole.prefix(length))) { path in
                #expect(throws: ModelFileError.self, "cut at \(length)") { try SafetensorsFile(path) }
            }
        }
    }

    @Test("A file with flipped bits gives numbers or a typed error, and never a crash")
    func flipped() throws {
        let whole = file(Self.good, data: 22)
        for position in 0..<(whole.count - 22) {
            for bit in [0, 3, 5, 7] {
                var bytes = whole
                bytes[position] ^= 1 << bit
                try with(bytes) { path in
                    do {
                        let file = try SafetensorsFile(path)
                        for tensor in file.tensors { _ = try file.floats(tensor.name, shape: tensor.shape) }
                    } catch is ModelFileError {}
                }
            }
        }
    }

    @Test("A folder, an absent file and a device are refused", arguments: ["/", "/nonexistent", "/dev/zero"])
    func unreadable(path: String) {
        #expect(throws: ModelFileError.self) { try SafetensorsFile(path) }
        #expect(throws: ModelFileError.self) { try ModelConfiguration(file: path) }
    }

    static let configuration = """
        {"model_type":"llama","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":8,
        "num_key_value_heads":4,"vocab_size":512,"max_position_embeddings":512,"rms_norm_eps":1e-5,
        "rope_parameters":{"rope_theta":5e5,"rope_type":"default"},"tie_word_embeddings":true}
        """

    @Test("A configuration is read with its defaults")
    func configuration() throws {
        try with(Array(Self.configuration.utf8)) { path in
            let read = try ModelConfiguration(file: path)
            let expected = ModelConfiguration(
                layers: 5, hidden: 64, heads: 8, keyValueHeads: 4, headDimension: 8, feedForward: 172, vocabulary: 512,
                ropeTheta: 500_000, normEpsilon: 1e-5, tiedEmbeddings: true, maxContext: 512)
            #expect(read == expected)
        }
    }

    @Test(
        "A configuration that would compute something else is refused, naming the key",
        arguments: [
            (#""llama""#, #""gpt2""#, "model_type"), (#""hidden_size":64"#, #""hidden_size":60"#, "hidden_size"),
            (#""num_key_value_heads":4"#, #""num_key_value_heads":3"#, "num_key_value_heads"),
            (#""num_attention_heads":8"#, #""num_attention_heads":0"#, "num_attention_heads"),
            (#""num_hidden_layers":5"#, #""num_hidden_layers":9000000000000000000"#, "num_hidden_layers"),
            (#""rope_type":"default""#, #""rope_type":"yarn""#, "rope_parameters"),
            (#""vocab_size":512"#, #""vocab_size":512,"attention_bias":true"#, "attention_bias"),
            (#""vocab_size":512"#, #""vocab_size":512,"quantization_config":{"bits":4}"#, "quantization_config"),
            ("1e-5", "-1", "rms_norm_eps"), ("5e5", "0", "rope_theta"),
        ])
    func unsupported(good: String, bad: String, key: String) throws {
        try with(Array(Self.configuration.replacingOccurrences(of: good, with: bad).utf8)) { path in
            let error = #expect(throws: ModelFileError.self) { try ModelConfiguration(file: path) }
            #expect(error?.part == key)
        }
    }

    @Test(
        "A configuration that is no JSON or lacks a key is refused", arguments: ["", "{", "{}", "[]", "null", "\u{0}"])
    func notJSON(text: String) throws {
        try with(Array(text.utf8)) { path in
            #expect(throws: ModelFileError.self) { try ModelConfiguration(file: path) }
        }
    }
}
