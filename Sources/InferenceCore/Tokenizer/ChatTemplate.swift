import Units

/// One message of a conversation.
public struct ChatMessage: Hashable, Sendable {
    public enum Role: String, Hashable, Sendable {
        case system, user, assistant
    }

    public var role: Role
    public var content: String

    public init(_ role: Role, _ content: String) {
        self.role = role
        self.content = content
    }
}

/// A part of a rendered conversation.
public struct TextPiece: Hashable, Sendable {
    public var text: String
    /// The template's own, which may name special tokens; what somebody wrote may not.
    public var isTemplate: Bool
}

/// Why a conversation cannot be rendered.
public enum ChatTemplateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The model's template is none that is rendered here.
    case unknown(digest: String)
    /// The model has none.
    case absent
    /// The template takes no such conversation.
    case refused(message: Int, String)

    public var description: String {
        switch self {
        case .unknown(let digest):
            "the model's chat template (SHA-256 \(digest)) is not one that is rendered here: write the prompt yourself and "
                + "ask for a raw completion (/v1/completions)"
        case .absent:
            "the model has no chat template: write the prompt yourself and ask for a raw completion (/v1/completions)"
        case .refused(let message, let problem): "message \(message) \(problem)"
        }
    }
}

/// How a family of models writes a conversation as one text.
///
///     let template = try ChatTemplate(of: tokenizer)
///     let ids = tokenizer.encode(try template.render([.init(.user, "Hello")], for: tokenizer))
///
/// Rendered by code of our own: a Jinja text from a model's file is never run, only recognised by its SHA-256. So a
/// template with a changed space is another one, and is refused rather than rendered nearly right.
public enum ChatTemplate: Hashable, Sendable {
    /// `<|im_start|>role\n…<|im_end|>\n`; a system message where the conversation brings none.
    case chatML(system: String?)
    /// ChatML of Qwen3: without a system message of its own, and without the thinking of answers before the last question.
    case qwen3
    case llama2
    case llama3
    /// Mistral 7B Instruct v0.1, which closes each answer with `</s>` and a space.
    case mistralV1
    /// Tokenizer v3 of Mistral: `[INST] …[/INST] …</s>`.
    case mistralV3

    static let smolSystem = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    static let qwenSystem = "You are a helpful assistant."

    /// SHA-256 of the Jinja texts; two where a line end is written as itself in one file and as `\n` in another.
    private static let known: [String: ChatTemplate] = [
        "793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb": .chatML(system: qwenSystem),
        "f0206845c9ebc3abb4735d44f286eb81ce99238ad2accc710c6fc60e6cb8ccc8": .chatML(system: qwenSystem),
        "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": .chatML(system: smolSystem),
        "de9cde7d1b0ca0cc87459a6673e0d12fb89c070bdb24e4a30b6e4d187b226221": .chatML(system: smolSystem),
        "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3": .chatML(system: nil),
        "fcf7a096fe99a48fd9ad2b250bf9237e96e8f48bffec1c7ea4d3f225176cd40e": .chatML(system: nil),
        "ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122": .llama3,
        "4f46ecd43418f216df8c26936c60e5d04bcc81db47db5d86fbe889f64212dd4c": .llama3,
        "e8d5b5a546d3f19df16a5320c614fab05bdc4edd50e850f1afd947b503ea41cf": .llama2,
        "9780fae5bfea3cfd7be37d328c6edfd296a8869be8131495bbe7eb37e780c88c": .llama2,
        "7e995b379ec01747807246483647cd99030abf331653f1119e16d7ac041a3495": .mistralV1,
    ]

    /// Recognises a template by its text.
    public init(text: String) throws(ChatTemplateError) {
        let digest = Digest(of: text).hexadecimal
        guard let template = Self.known[digest] else { throw .unknown(digest: digest) }
        self = template
    }

    public init(of tokenizer: Tokenizer) throws(ChatTemplateError) {
        guard let text = tokenizer.data.chatTemplate else { throw .absent }
        try self.init(text: text)
    }

    /// The conversation's pieces; together they are the prompt, its `<s>` included.
    ///
    /// - Parameters:
    ///   - generates: The beginning of an answer is put behind, for the model to go on.
    public func render(
        _ messages: [ChatMessage], beginning: String = "", end: String = "", generates: Bool = true
    ) throws(ChatTemplateError) -> [TextPiece] {
        guard !messages.isEmpty else { throw .refused(message: 0, "is missing: a conversation has one at least") }
        if let late = messages.dropFirst().firstIndex(where: { $0.role == .system }) {
            // ChatML's templates would take it; the others would not, and nobody means it.
            throw .refused(message: late, "is a system message, which may only be the first")
        }
        var writer = Writer()
        switch self {
        case .chatML(let system):
            if let system, messages[0].role != .system { writer.template("<|im_start|>system\n\(system)<|im_end|>\n") }
            for message in messages { writer.chatML(message.role, message.content) }
            if generates { writer.template("<|im_start|>assistant\n") }
        case .qwen3:
            let lastQuestion = messages.lastIndex { $0.role == .user } ?? messages.count
            for (index, message) in messages.enumerated() {
                let isOld = message.role == .assistant && index < lastQuestion
                writer.chatML(message.role, isOld ? Self.withoutThinking(message.content) : message.content)
            }
            if generates { writer.template("<|im_start|>assistant\n") }
        case .llama3:
            writer.template(beginning)
            for message in messages {
                writer.template("<|start_header_id|>\(message.role.rawValue)<|end_header_id|>\n\n")
                writer.content(Self.trimmed(message.content))
                writer.template("<|eot_id|>")
            }
            if generates { writer.template("<|start_header_id|>assistant<|end_header_id|>\n\n") }
        case .llama2:
            let system = messages[0].role == .system ? messages[0].content : nil
            let turns = try Self.alternating(messages)
            for (turn, message) in turns.enumerated() {
                if message.role == .user {
                    writer.template(beginning + "[INST] ")
                    if turn == 0, let system {
                        // The whole is trimmed, which the tags at its beginning leave to its end.
                        writer.template("<<SYS>>\n")
                        writer.content(system)
                        writer.template("\n<</SYS>>")
                        let content = Self.trimmed(message.content, start: false)
                        if !content.isEmpty {
                            writer.template("\n\n")
                            writer.content(content)
                        }
                    } else {
                        writer.content(Self.trimmed(message.content))
                    }
                    writer.template(" [/INST]")
                } else {
                    writer.template(" ")
                    writer.content(Self.trimmed(message.content))
                    writer.template(" " + end)
                }
            }
        case .mistralV1, .mistralV3:
            guard messages[0].role != .system else {
                throw .refused(message: 0, "is a system message, which this model's template has no place for")
            }
            writer.template(beginning)
            for message in try Self.alternating(messages) {
                if message.role == .user {
                    writer.template("[INST] ")
                    writer.content(message.content)
                    writer.template(self == .mistralV1 ? " [/INST]" : "[/INST]")
                } else {
                    if self == .mistralV3 { writer.template(" ") }
                    writer.content(message.content)
                    writer.template(self == .mistralV1 ? end + " " : end)
                }
            }
        }
        return writer.pieces
    }

    /// As above, with the tokenizer's own tokens for beginning and end.
    public func render(
        _ messages: [ChatMessage], for tokenizer: Tokenizer, generates: Bool = true
    ) throws(ChatTemplateError) -> [TextPiece] {
        func text(_ token: Int32?) -> String { token.map { tokenizer.data.tokens[Int($0)] } ?? "" }
        return try render(
            messages, beginning: text(tokenizer.data.beginning), end: text(tokenizer.data.end), generates: generates)
    }

    /// The messages behind the system one: a user's first, and then in turns.
    private static func alternating(_ messages: [ChatMessage]) throws(ChatTemplateError) -> [ChatMessage] {
        let first = messages[0].role == .system ? 1 : 0
        guard messages.count > first else {
            throw .refused(message: first, "is missing: a user's must follow the system's")
        }
        for index in first..<messages.count {
            let wanted: ChatMessage.Role = (index - first) % 2 == 0 ? .user : .assistant
            guard messages[index].role == wanted else {
                throw .refused(
                    message: index, "is of the \(messages[index].role.rawValue), not of the \(wanted.rawValue)")
            }
        }
        return Array(messages[first...])
    }

    /// As Python's `strip` and Jinja's `trim` have it.
    static func trimmed(_ text: String, start: Bool = true) -> String {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }
        var scalars = text.unicodeScalars[...]
        if start { while let first = scalars.first, isSpace(first) { scalars.removeFirst() } }
        while let last = scalars.last, isSpace(last) { scalars.removeLast() }
        return String(scalars)
    }

    /// What follows the last `</think>`, without line ends before it.
    private static func withoutThinking(_ content: String) -> String {
        let bytes = Array(content.utf8)
        let mark = Array("</think>".utf8)
        guard bytes.count >= mark.count,
            let place = (0...(bytes.count - mark.count)).last(where: { bytes[$0...].starts(with: mark) })
        else { return content }
        return String(decoding: bytes[(place + mark.count)...].drop { $0 == 0x0A }, as: UTF8.self)
    }

    private struct Writer {
        var pieces: [TextPiece] = []

        mutating func template(_ text: String) { add(text, isTemplate: true) }
        mutating func content(_ text: String) { add(text, isTemplate: false) }
        mutating func chatML(_ role: ChatMessage.Role, _ text: String) {
            template("<|im_start|>\(role.rawValue)\n")
            content(text)
            template("<|im_end|>\n")
        }

        private mutating func add(_ text: String, isTemplate: Bool) {
            if !text.isEmpty { pieces.append(TextPiece(text: text, isTemplate: isTemplate)) }
        }
    }
}

extension Tokenizer {
    /// The tokens of a rendered conversation: those of its whole text, but a special token counts only where all of it
    /// is the template's.
    public func encode(_ pieces: [TextPiece]) -> [Int32] {
        var text = ""
        var trusted: [Range<Int>] = []
        for piece in pieces {
            let start = text.utf8.count
            text += piece.text
            if piece.isTemplate { trusted.append(start..<text.utf8.count) }
        }
        return encode(text, trusted: trusted)
    }
}
