import Units

extension ParameterValue {
    /// JSON text with one spelling per value: keys sorted by their UTF-8 bytes, no blanks, whole numbers without a
    /// fraction, other numbers in the shortest form that reads back to the same `Double`.
    ///
    /// What digests are taken over, so two equal values have one digest wherever they were written.
    public var canonicalJSON: String {
        var text = ""
        write(to: &text)
        return text
    }

    /// The SHA-256 digest of `canonicalJSON`.
    public var digest: Digest { Digest(of: canonicalJSON) }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let value): text += Self.spelled(value)
        case .text(let value): Self.quote(value, into: &text)
        case .list(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += "," }
                value.write(to: &text)
            }
            text += "]"
        case .map(let values):
            text += "{"
            let entries = values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (index, entry) in entries.enumerated() {
                if index > 0 { text += "," }
                Self.quote(entry.key, into: &text)
                text += ":"
                entry.value.write(to: &text)
            }
            text += "}"
        }
    }

    private static func spelled(_ value: Double) -> String {
        // Up to 2⁵³ every whole number is a Double, and minus zero is zero.
        if value == value.rounded(), value.magnitude <= 9_007_199_254_740_992 { return String(Int64(value)) }
        return value.description
    }

    private static func quote(_ value: String, into text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension ParameterValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([ParameterValue].self) {
            self = .list(value)
        } else {
            self = .map(try container.decode([String: ParameterValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value):
            // A whole number is written as one, so that a reader of the file sees 4 and not 4.0.
            if let whole = Int64(exactly: value) { try container.encode(whole) } else { try container.encode(value) }
        case .text(let value): try container.encode(value)
        case .list(let values): try container.encode(values)
        case .map(let values): try container.encode(values)
        }
    }
}

extension ParameterValue: CustomStringConvertible {
    /// The value as an error message shows it.
    public var description: String { canonicalJSON }
}
