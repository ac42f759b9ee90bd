extension ChatTemplate {
    /// The conversation's pieces; together they are the prompt, its `<s>` included.
    ///
    /// What the Jinja text makes of messages without tools, where nobody tells it a date or not to think: Llama 3.2's then
    /// writes the one that it has.
    ///
    /// - Parameter generates: The beginning of an answer is put behind, for the model to go on.
    /// - Throws: ``ChatTemplateError/refused(message:_:)`` in the words of the template where it refuses.
    public func render(
        _ messages: [ChatMessage], beginning: String = "", end: String = "", generates: Bool = true
    ) throws(ChatTemplateError) -> [TextPiece] {
        guard !messages.isEmpty else { throw .refused(message: 0, "is missing: a conversation has one at least") }
        var writer = Writer()
        switch self {
        case .chatML(let system):
            if let system, messages[0].role != .system { writer.template("<|im_start|>system\n\(system)<|im_end|>\n") }
            for message in messages { writer.chatML(message.role, message.content) }
            if generates { writer.template("<|im_start|>assistant\n") }
        case .qwen3(let thinks):
            Self.writeQwen3(messages, to: &writer)
            if generates { writer.template("<|im_start|>assistant\n" + (thinks ? "<think>\n" : "")) }
        case .llama3, .llama31:
            writer.template(beginning)
            Self.writeLlama3(messages, hasPreamble: self == .llama31, to: &writer)
            if generates { writer.template("<|start_header_id|>assistant<|end_header_id|>\n\n") }
        case .llama2(let trimmed):
            try Self.writeLlama2(messages, trimmed: trimmed, beginning, end, to: &writer)
        case .mistral(let form):
            writer.template(beginning)
            try Self.writeMistral(messages, form, end, to: &writer)
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

    // MARK: - Families

    private static func writeQwen3(_ messages: [ChatMessage], to writer: inout Writer) {
        // What a tool answered is written by a user, and is no question.
        let lastQuestion =
            messages.lastIndex {
                $0.role == .user
                    && !($0.content.hasUTF8Prefix("<tool_response>") && $0.content.hasUTF8Suffix("</tool_response>"))
            } ?? messages.count - 1
        for (index, message) in messages.enumerated() {
            guard message.role == .assistant else {
                writer.chatML(message.role, message.content)
                continue
            }
            let (thinking, answer) = split(message.content)
            guard index > lastQuestion, index == messages.count - 1 || !thinking.isEmpty else {
                writer.chatML(.assistant, answer)
                continue
            }
            writer.template("<|im_start|>assistant\n<think>\n")
            writer.content(thinking.withoutLineEnds())
            writer.template("\n</think>\n\n")
            writer.content(answer.withoutLineEnds(last: false))
            writer.template("<|im_end|>\n")
        }
    }

    /// An answer's thinking: what stands before the first `</think>`, behind a `<think>`; and what is behind the last.
    private static func split(_ content: String) -> (thinking: String, answer: String) {
        let parts = content.utf8Parts(between: "</think>")
        guard parts.count > 1 else { return ("", content) }
        let thinking = parts[0].withoutLineEnds(first: false).utf8Parts(between: "<think>").last!
        return (thinking.withoutLineEnds(last: false), parts.last!.withoutLineEnds(last: false))
    }

    private static func writeLlama3(_ messages: [ChatMessage], hasPreamble: Bool, to writer: inout Writer) {
        func open(_ role: ChatMessage.Role) {
            writer.template("<|start_header_id|>\(role.rawValue)<|end_header_id|>\n\n")
        }
        var rest = messages[...]
        if hasPreamble {
            open(.system)
            writer.template("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n")
            if rest[0].role == .system { writer.content(trimmed(rest.removeFirst().content)) }
            writer.template("<|eot_id|>")
        }
        for message in rest {
            open(message.role)
            writer.content(trimmed(message.content))
            writer.template("<|eot_id|>")
        }
    }

    private static func writeLlama2(
        _ messages: [ChatMessage], trimmed trimsSystem: Bool, _ beginning: String, _ end: String,
        to writer: inout Writer
    ) throws(ChatTemplateError) {
        let system = messages[0].role == .system ? messages[0].content : nil
        let rule = "Conversation roles must alternate user/assistant/user/assistant/..."
        for (turn, message) in try alternating(messages, system: true, rule: rule).enumerated() {
            guard message.role == .user else {
                writer.template(" ")
                writer.content(trimmed(message.content))
                writer.template(" " + end)
                continue
            }
            writer.template(beginning + "[INST] ")
            if turn == 0, let system {
                // The whole is trimmed, which the tags at its beginning leave to its end.
                writer.template("<<SYS>>\n")
                writer.content(trimsSystem ? trimmed(system) : system)
                writer.template("\n<</SYS>>")
                let content = trimmed(message.content, start: false)
                if !content.isEmpty {
                    writer.template("\n\n")
                    writer.content(content)
                }
            } else {
                writer.content(trimmed(message.content))
            }
            writer.template(" [/INST]")
        }
    }

    private static func writeMistral(
        _ messages: [ChatMessage], _ form: MistralForm, _ end: String, to writer: inout Writer
    ) throws(ChatTemplateError) {
        let takesSystem = form.system != .refused
        let rule =
            (takesSystem ? "After the optional system message, conversation" : "Conversation")
            + " roles must alternate user/assistant/user/assistant/..."
        let turns = try alternating(messages, system: takesSystem, rule: rule)
        let system = messages[0].role == .system ? messages[0].content : nil
        for (turn, message) in turns.enumerated() {
            guard message.role == .user else {
                writer.template(form.answer)
                writer.content(form.trimsAnswers ? trimmed(message.content) : message.content)
                writer.template(end + form.ending)
                continue
            }
            writer.template(form.opening)
            if let system, turn == (form.system == .first ? 0 : turns.count - 1) {
                writer.content(system)
                writer.template("\n\n")
            }
            writer.content(message.content)
            writer.template(form.closing)
        }
    }

    /// The messages behind the system one: a user's first, and then in turns.
    private static func alternating(
        _ messages: [ChatMessage], system: Bool, rule: String
    ) throws(ChatTemplateError) -> [ChatMessage] {
        let first = system && messages[0].role == .system ? 1 : 0
        guard messages.count > first else {
            throw .refused(message: first, "is missing: a user's must follow the system's")
        }
        for index in first..<messages.count {
            let wanted: ChatMessage.Role = (index - first) % 2 == 0 ? .user : .assistant
            guard messages[index].role == wanted else {
                throw .refused(
                    message: index,
                    "is of the \(messages[index].role.rawValue), not of the \(wanted.rawValue): the model's template "
                        + "says '\(rule)'")
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

/// Texts by their bytes: Swift's characters would join a line end, or a mark, with what stands beside it.
extension String {
    fileprivate func hasUTF8Prefix(_ text: String) -> Bool { utf8.starts(with: text.utf8) }
    fileprivate func hasUTF8Suffix(_ text: String) -> Bool { utf8.reversed().starts(with: text.utf8.reversed()) }

    /// As Python's `split`: cut at each `mark`, from the front.
    fileprivate func utf8Parts(between mark: String) -> [String] {
        var parts: [String] = []
        var rest = utf8[...]
        var place = rest.startIndex
        while place < rest.endIndex {
            if rest[place...].starts(with: mark.utf8) {
                parts.append(String(rest[..<place])!)
                place = rest.index(place, offsetBy: mark.utf8.count)
                rest = rest[place...]
            } else {
                place = rest.index(after: place)
            }
        }
        return parts + [String(rest)!]
    }

    fileprivate func withoutLineEnds(first: Bool = true, last: Bool = true) -> String {
        var bytes = utf8[...]
        if first { while bytes.first == 0x0A { bytes.removeFirst() } }
        if last { while bytes.last == 0x0A { bytes.removeLast() } }
        return String(bytes)!
    }
}
