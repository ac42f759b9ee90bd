/// A value of a GGUF file's metadata.
///
/// Integers of every width are one case and floats of both widths another. Strings are UTF-8 and keep their very bytes;
/// mind that Swift compares them by what they look like ("é" in one scalar equals "é" in two), so look tokens up by
/// their `utf8`.
public enum GGUFValue: Hashable, Sendable {
    case integer(Int)
    case double(Double)
    case bool(Bool)
    case string(String)
    case integers([Int])
    case doubles([Double])
    case bools([Bool])
    case strings([String])
    /// An array of arrays. No deeper nesting is read.
    case arrays([GGUFValue])
}

/// The key-value pairs of a GGUF file, such as `general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens`.
///
///     let file = try GGUFFile("model.gguf")
///     file.metadata.strings("tokenizer.ggml.tokens")         // ["<s>", …]; nil when absent or of another type
///     if case .string(let template)? = file.metadata["tokenizer.chat_template"] { … }
public struct GGUFMetadata: Hashable, Sendable {
    /// In order of the file.
    public private(set) var keys: [String] = []
    private var values: [String: GGUFValue] = [:]

    public init() {}

    public subscript(key: String) -> GGUFValue? { values[key] }

    public func integer(_ key: String) -> Int? {
        if case .integer(let value)? = values[key] { value } else { nil }
    }

    /// A float, or an integer that was stored where a float is expected.
    public func double(_ key: String) -> Double? {
        switch values[key] {
        case .double(let value)?: value
        case .integer(let value)?: Double(value)
        default: nil
        }
    }

    public func bool(_ key: String) -> Bool? {
        if case .bool(let value)? = values[key] { value } else { nil }
    }

    public func string(_ key: String) -> String? {
        if case .string(let value)? = values[key] { value } else { nil }
    }

    public func strings(_ key: String) -> [String]? {
        if case .strings(let values)? = values[key] { values } else { nil }
    }

    public func integers(_ key: String) -> [Int]? {
        if case .integers(let values)? = values[key] { values } else { nil }
    }

    public func doubles(_ key: String) -> [Double]? {
        if case .doubles(let values)? = values[key] { values } else { nil }
    }

    /// Adds a pair; `false` when the key is there already.
    mutating func add(_ key: String, _ value: GGUFValue) -> Bool {
        guard values.updateValue(value, forKey: key) == nil else { return false }
        keys.append(key)
        return true
    }
}
