/// GPT-2's alphabet: each byte as one printable character, so that tokens can be written as text.
///
/// - Source: `bytes_to_unicode` of github.com/openai/gpt-2, `src/encoder.py`.
enum ByteAlphabet {
    static let scalars: [Unicode.Scalar] = {
        var extra: UInt32 = 0x100
        return (0..<256).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
            default:
                defer { extra += 1 }
                return Unicode.Scalar(extra)!
            }
        }
    }()

    /// By the scalar's value; -1 for what is no letter of it.
    static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that `text` writes; its own UTF-8 where a character is not of the alphabet.
    static func decode(_ text: String) -> [UInt8] {
        var decoded: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return Array(text.utf8) }
            decoded.append(UInt8(bytes[Int(scalar.value)]))
        }
        return decoded
    }
}
