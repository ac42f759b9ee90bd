import FoundationEssentials

/// Writes values as JSON with one form for each value: keys in order, two spaces a level, the shortest digits that
/// read back to the same `Double`, and a newline at the end.
public enum CanonicalJSON {
    /// The text of `value`.
    ///
    /// - Throws: `EncodingError` for a number that is not finite, which JSON cannot hold, and whatever the value's own
    ///   encoding throws.
    public static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
