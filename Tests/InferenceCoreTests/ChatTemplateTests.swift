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
        #expect(
            try text(.llama2, Self.talk)
                == "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\n Hi [/INST] Hello. </s><s>[INST] 漢 <|im_end|> [/INST]")
        #expect(
            try text(.llama3, [.init(.user, " a ")])
                == "<s><|start_header_id|>user<|end_header_id|>\n\na<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        )
        #expect(try text(.mistralV1, rest) == "<s>[INST]  Hi \n [/INST]Hello.</s> [INST] 漢 <|im_end|> [/INST]")
        #expect(try text(.mistralV3, rest) == "<s>[INST]  Hi \n[/INST] Hello.</s>[INST] 漢 <|im_end|>[/INST]")
    }

    @Test("Qwen3 forgets the thinking of answers before the last question, and keeps that of the last")
    func thinking() throws {
        let answer = ChatMessage(.assistant, "<think>\nhm\n</think>\n\nYes.")
        #expect(
            try text(.qwen3, [.init(.user, "a"), answer, .init(.user, "b"), answer], generates: false)
                == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
                + "<|im_start|>assistant\n<think>\nhm\n</think>\n\nYes.<|im_end|>\n")
    }

    @Test("A conversation that the template does not take is refused, naming the message")
    func refused() {
        let user = ChatMessage(.user, "a")
        for (template, messages, index) in [
            (.llama3, [], 0), (.chatML(system: nil), [user, .init(.system, "s")], 1), (.llama2, [user, user], 1),
            (.llama2, [.init(.system, "s")], 1), (.mistralV1, [.init(.system, "s"), user], 0),
            (.mistralV3, [.init(.assistant, "x")], 0),
        ] as [(ChatTemplate, [ChatMessage], Int)] {
            do throws(ChatTemplateError) {
                _ = try template.render(messages)
                Issue.record("\(template) took \(messages)")
            } catch {
                guard case .refused(let message, _) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(message == index)
            }
        }
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
        var source = RandomTexts(seed: 4)
        var talks: [[ChatMessage]] = [Self.talk]
        for _ in 0..<100 {
            var talk: [ChatMessage] = []
            for index in 0..<source.number(1..<6) {
                let role: ChatMessage.Role =
                    index == 0 && source.number(0..<2) == 0 ? .system : index % 2 == 0 ? .user : .assistant
                talk.append(.init(role, source.text()))
            }
            talks.append(talk)
        }
        for generates in [true, false] {
            let answer = try Oracle.ask([
                "templates": talks.map { talk in
                    [
                        "template": tokenizer.data.chatTemplate!, "beginning": "<|im_start|>", "end": "<|im_end|>",
                        "messages": talk.map { ["role": $0.role.rawValue, "content": $0.content] },
                        "generate": generates,
                    ] as [String: Any]
                }
            ])
            for (talk, rendered) in zip(talks, answer.rendered) {
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
}
