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
    /// ChatML of Qwen3: without a system message of its own, with the thinking of answers after the last question and
    /// without that of the others. An answer that `thinks` is begun with `<think>`.
    case qwen3(thinks: Bool)
    /// `<s>[INST] <<SYS>>…`; the system message with the spaces around it, or `trimmed`.
    case llama2(trimmed: Bool)
    case llama3
    /// Llama 3.1 to 3.3, which always have a system message and tell in it how far their knowledge reaches.
    case llama31
    case mistral(MistralForm)

    static let smolSystem = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    static let qwenSystem = "You are a helpful assistant."
    static let qwen25System = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."

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
}

/// What the templates of Mistral's models differ in: `[INST] question [/INST]answer</s>`, with more or fewer spaces.
public struct MistralForm: Hashable, Sendable {
    public enum System: Hashable, Sendable {
        case refused
        /// Before the first question, or before the last message where that is a question.
        case first, last
    }

    var opening = "[INST] "
    var closing: String
    /// Before an answer.
    var answer = ""
    /// Behind the `</s>` of an answer.
    var ending = ""
    var trimsAnswers = false
    var system = System.refused

    /// Mistral 7B Instruct v0.1 as released.
    static let v01 = MistralForm(closing: " [/INST]", ending: " ")
    /// v0.2 and v0.3 as released.
    static let v02 = MistralForm(closing: " [/INST]")
    /// v0.1 and v0.2 since they take a system message.
    static let v1 = MistralForm(opening: " [INST] ", closing: " [/INST]", answer: " ", system: .first)
    static let codestral = MistralForm(closing: "[/INST]", answer: " ", system: .last)
    /// v0.3 since it takes a system message, and the larger models of its time.
    static let v3 = MistralForm(closing: "[/INST]", answer: " ", trimsAnswers: true, system: .last)
    static let nemo = MistralForm(opening: "[INST]", closing: "[/INST]", system: .last)
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
