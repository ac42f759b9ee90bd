import Foundation

/// What a serving process tells: lines for people, or JSON objects for programs, on standard output; errors on standard
/// error.
struct EventOutput: Sendable {
    let isJSON: Bool

    /// - Parameters:
    ///   - event: What happened, for programs.
    ///   - fields: What else programs are told.
    ///   - text: The same for people.
    func tell(_ event: String, _ fields: [String: any Sendable & Encodable] = [:], text: String) {
        guard isJSON else { return write(text + "\n", to: .standardOutput) }
        var line = "{\"event\":\(encoded(event))"
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { line += ",\"\(name)\":\(encoded(value))" }
        write(line + "}\n", to: .standardOutput)
    }

    func alert(_ text: String) { write(text + "\n", to: .standardError) }

    private func encoded(_ value: any Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // Texts and numbers alone, which cannot fail.
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }

    private func write(_ text: String, to handle: FileHandle) { try? handle.write(contentsOf: Data(text.utf8)) }
}
