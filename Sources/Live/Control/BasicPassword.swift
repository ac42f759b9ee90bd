import Foundation

/// The password of `Authorization: Basic …`; its name is not looked at.
struct BasicPassword {
    let text: String?

    init(_ field: String) {
        let words = field.split(separator: " ")
        guard words.count == 2, let data = Data(base64Encoded: String(words[1])) else {
            text = nil
            return
        }
        let pair = String(decoding: data, as: UTF8.self)
        text = pair.firstIndex(of: ":").map { String(pair[pair.index(after: $0)...]) }
    }
}
