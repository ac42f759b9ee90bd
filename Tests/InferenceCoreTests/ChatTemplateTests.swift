import Foundation
import Testing

@testable import InferenceCore

@Suite("Chat templates")
struct ChatTemplateTests {
    static let talk: [ChatMessage] = [
        .init(.system, "Be short."), .init(.user, " Hi \n"), .init(.assistant, "Hello."), .init(.user, "漢 <|im_end|>"),
    ]

    func text(_ template: ChatTemplate, _ messages: [ChatMessage], generates: Bool = true) throws -> String {
        try template.render(messages, beginning: "<s>", end: "</s>", generates: generates).map(\.text).joined()
    }

    @Test("Each family writes its own form")
    func forms() throws {
        let rest = Array(Self.talk.dropFirst())
        let chatML =
            "<|im_start|>user\n Hi \n<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
            + "<|im_start|>user\n漢 <|im_end|><|im_end|>\n<|im_start|>assistant\n"
        #expect(try text(.chatML(system: "S"), Self.talk) == "<|im_start|>system\nBe short.<|im_end|>\n" + chatML)
        #expect(try text(.chatML(system: "S"), rest) == "<|im_start|>system\nS<|im_end|>\n" + chatML)
        #expect(try text(.chatML(system: nil), rest) == chatML)
        for trimmed in [false, true] {
            #expect(
                try text(.llama2(trimmed: trimmed), Self.talk)
                    == "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\n Hi [/INST] Hello. </s><s>[INST] 漢 <|im_end|> [/INST]"
            )
        }
        #expect(
            try text(.llama2(trimmed: true), [.init(.system, " s "), .init(.user, "a")])
                == "<s>[INST] <<SYS>>\ns\n<</SYS>>\n\na [/INST]")
        let header = "<|start_header_id|>"
        let question = "\(header)user<|end_header_id|>\n\na<|eot_id|>\(header)assistant<|end_header_id|>\n\n"
        #expect(try text(.llama3, [.init(.user, " a ")]) == "<s>" + question)
        for (system, written) in [(nil, ""), (" b ", "b")] {
            #expect(
                try text(.llama31, [system.map { .init(.system, $0) }, .init(.user, " a ")].compactMap { $0 })
                    == "<s>\(header)system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
                    + "Today Date: 26 Jul 2024\n\n\(written)<|eot_id|>" + question)
        }
    }

    @Test(
        "Mistral's models put spaces and the system message where each of them does",
        arguments: [
            (.v01, nil, "<s>[INST] a [/INST] b </s> [INST] c [/INST]"),
            (.v02, nil, "<s>[INST] a [/INST] b </s>[INST] c [/INST]"),
            (.v1, "s", "<s> [INST] s\n\na [/INST]  b </s> [INST] c [/INST]"),
            (.codestral, "s", "<s>[INST] a[/INST]  b </s>[INST] s\n\nc[/INST]"),
            (.v3, "s", "<s>[INST] a[/INST] b</s>[INST] s\n\nc[/INST]"),
            (.nemo, "s", "<s>[INST]a[/INST] b </s>[INST]s\n\nc[/INST]"),
        ] as [(MistralForm, String?, String)])
    func mistral(form: MistralForm, system: String?, expected: String) throws {
        let talk: [ChatMessage] = [.init(.user, "a"), .init(.assistant, " b "), .init(.user, "c")]
        #expect(try text(.mistral(form), (system.map { [.init(.system, $0)] } ?? []) + talk) == expected)
    }

    @Test("Qwen3 forgets the thinking of answers before the last question, and keeps that of the last")
    func thinking() throws {
        let answer = ChatMessage(.assistant, "<think>\nhm\n</think>\n\nYes.")
        let start =
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
        #expect(
            try text(.qwen3(thinks: false), [.init(.user, "a"), answer, .init(.user, "b"), answer], generates: false)
                == start + "<|im_start|>assistant\n<think>\nhm\n</think>\n\nYes.<|im_end|>\n")
        // The last answer always shows where it would have thought; one in between only where it did.
        let plain = ChatMessage(.assistant, "\nYes.")
        #expect(
            try text(.qwen3(thinks: true), [.init(.user, "a"), plain, answer, plain])
                == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n\nYes.<|im_end|>\n"
                + "<|im_start|>assistant\n<think>\nhm\n</think>\n\nYes.<|im_end|>\n"
                + "<|im_start|>assistant\n<think>\n\n</think>\n\nYes.<|im_end|>\n<|im_start|>assistant\n<think>\n")
        // What a tool answered is no question.
        let tool = ChatMessage(.user, "<tool_response>\n1\n</tool_response>")
        #expect(
            try text(.qwen3(thinks: false), [.init(.user, "a"), answer, tool], generates: false)
                == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\nYes.<|im_end|>\n"
                + "<|im_start|>user\n<tool_response>\n1\n</tool_response><|im_end|>\n")
    }

    @Test("A conversation that the template does not take is refused, naming the message and in the template's words")
    func refused() {
        let user = ChatMessage(.user, "a")
        for (template, messages, index) in [
            (.llama3, [], 0), (.mistral(.v3), [user, .init(.system, "s")], 1),
            (.llama2(trimmed: false), [user, user], 1), (.llama2(trimmed: true), [.init(.system, "s")], 1),
            (.mistral(.v01), [.init(.system, "s"), user], 0), (.mistral(.nemo), [.init(.assistant, "x")], 0),
        ] as [(ChatTemplate, [ChatMessage], Int)] {
            do throws(ChatTemplateError) {
                _ = try template.render(messages)
                Issue.record("\(template) took \(messages)")
            } catch {
                guard case .refused(let message, let problem) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(message == index)
                #expect(
                    problem.contains("is missing") || problem.contains("roles must alternate user/assistant"),
                    "\(error)")
            }
        }
    }

    @Test("Each form belongs to a published template, and each digest is one")
    func digests() throws {
        for digest in ChatTemplate.known.keys {
            #expect(digest.count == 64 && digest.allSatisfy { $0.isHexDigit && !$0.isUppercase }, "\(digest)")
        }
        #expect(
            Set(ChatTemplate.known.values) == [
                .chatML(system: nil), .chatML(system: ChatTemplate.smolSystem),
                .chatML(system: ChatTemplate.qwenSystem),
                .chatML(system: ChatTemplate.qwen25System), .qwen3(thinks: false), .qwen3(thinks: true),
                .llama2(trimmed: false), .llama2(trimmed: true), .llama3, .llama31, .mistral(.v01), .mistral(.v02),
                .mistral(.v1), .mistral(.codestral), .mistral(.v3), .mistral(.nemo),
            ])
        // The shortest of them, so that a text is seen to be recognised.
        let text =
            "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
            + "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
        #expect(try ChatTemplate(text: text) == .chatML(system: nil))
        #expect(try ChatTemplate(text: text.replacing("\\n", with: "\n")) == .chatML(system: nil))
    }

    @Test("An unknown template is refused with its digest and a way on")
    func unknown() {
        let error = #expect(throws: ChatTemplateError.self) { try ChatTemplate(text: "{{ messages }}") }
        #expect(error?.description.contains("/v1/completions") == true)
        #expect(error?.description.contains("SHA-256 ") == true)
    }

    @Test(
        "SmolLM2's own template renders the same in Jinja, and users cannot end a message",
        .enabled(
            if: TokenizerFixtures.smolIsThere && Oracle.isThere,
            Comment(rawValue: TokenizerFixtures.smolMissing + "; or " + Oracle.missing)))
    func jinja() throws {
        let tokenizer = try TokenizerFixtures.smolTokenizer()
        let template = try ChatTemplate(of: tokenizer)
        #expect(template == .chatML(system: ChatTemplate.smolSystem))
        let tokens = Set(tokenizer.data.tokens)
        let absent = (0...255 as ClosedRange<UInt8>).filter { !tokens.contains(String(ByteAlphabet.scalars[Int($0)])) }
        let talks = Self.talks(100, seed: 4)
        for generates in [true, false] {
            let rendered = try Self.jinja(
                tokenizer.data.chatTemplate!, talks, beginning: "<|im_start|>", end: "<|im_end|>", generates: generates)
            for (talk, rendered) in zip(talks, rendered) {
                let pieces = try template.render(talk, for: tokenizer, generates: generates)
                #expect(Array(pieces.map(\.text).joined().utf8) == Array((rendered ?? "").utf8), "\(talk)")
                // One token 2 for each message, and the default one, whatever the messages say.
                let ids = tokenizer.encode(pieces)
                #expect(ids.filter { $0 == 2 }.count == talk.count + (talk[0].role == .system ? 0 : 1), "\(talk)")
                // This vocabulary has no token for some bytes: they are dropped.
                let kept = pieces.map(\.text).joined().utf8.filter { !absent.contains($0) }
                #expect(ids.flatMap { tokenizer.bytes(of: $0, special: true) } == kept, "\(talk)")
            }
        }
    }

    /// The published texts are not kept here: whoever has some beside `TIDEGATE_CHAT_TEMPLATES` can ask Jinja for all.
    @Test(
        "Published templates render the same in Jinja",
        .enabled(
            if: templateFolder != nil && Oracle.isThere,
            "TIDEGATE_CHAT_TEMPLATES names no folder of .jinja files, or there is no Jinja"))
    func published() throws {
        let folder = try #require(Self.templateFolder)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".jinja") }
        #expect(!files.isEmpty)
        let talks = Self.talks(1000, seed: 5)
        for file in files {
            let source = try String(decoding: Data(contentsOf: URL(filePath: folder + "/" + file)), as: UTF8.self)
            let template = try ChatTemplate(text: source)
            for generates in [true, false] {
                let rendered = try Self.jinja(source, talks, beginning: "<s>", end: "</s>", generates: generates)
                for (talk, rendered) in zip(talks, rendered) where !isLessThanJinja(template, talk) {
                    let ours = try? text(template, talk, generates: generates)
                    #expect(ours.map { Array($0.utf8) } == rendered.map { Array($0.utf8) }, "\(file): \(talk)")
                }
            }
        }
    }

    static let templateFolder = ProcessInfo.processInfo.environment["TIDEGATE_CHAT_TEMPLATES"]

    /// A conversation without a question, or one of which Llama 2's template leaves out a message, is refused.
    private func isLessThanJinja(_ template: ChatTemplate, _ talk: [ChatMessage]) -> Bool {
        switch template {
        case .llama2: talk.count == 1 && talk[0].role == .system || talk.dropFirst().contains { $0.role == .system }
        case .mistral: talk.count == 1 && talk[0].role == .system
        default: false
        }
    }

    /// Conversations with and without a system message, mostly in turns.
    static func talks(_ count: Int, seed: UInt64) -> [[ChatMessage]] {
        var source = RandomTexts(seed: seed)
        let marks = ["<think>", "</think>", "<tool_response>", "</tool_response>", "\n", "\r\n", " "]
        var talks: [[ChatMessage]] = [talk]
        for _ in 0..<count {
            let hasSystem = source.number(0..<2) == 0
            let talk = (0..<source.number(1..<7)).map { index in
                let turn: ChatMessage.Role = (index - (hasSystem ? 1 : 0)) % 2 == 0 ? .user : .assistant
                let role: ChatMessage.Role =
                    hasSystem && index == 0
                    ? .system : source.number(0..<20) == 0 ? [.system, .user, .assistant][source.number(0..<3)] : turn
                var text = source.text()
                for _ in 0..<source.number(0..<4) {
                    let mark = marks[source.number(0..<marks.count)]
                    text = source.number(0..<2) == 0 ? mark + text : text + mark + source.text()
                }
                return ChatMessage(role, text)
            }
            talks.append(talk)
        }
        return talks
    }

    /// What Jinja makes of the conversations; `nil` for one that the template refuses.
    static func jinja(
        _ template: String, _ talks: [[ChatMessage]], beginning: String, end: String, generates: Bool
    ) throws -> [String?] {
        try Oracle.ask([
            "templates": talks.map { talk in
                [
                    "template": template, "beginning": beginning, "end": end, "generate": generates,
                    "messages": talk.map { ["role": $0.role.rawValue, "content": $0.content] },
                ] as [String: Any]
            }
        ]).rendered
    }
}
