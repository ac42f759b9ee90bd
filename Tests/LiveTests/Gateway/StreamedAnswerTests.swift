import NIOCore
import Testing
import Units

@testable import Live

@Suite("A streamed answer on its way through the gateway")
struct StreamedAnswerTests {
    private func take(_ text: String, at milliseconds: Int64, _ answer: inout StreamedAnswer) -> StreamedAnswer.Event {
        Array(text.utf8).withUnsafeBytes { data in
            answer.take(data, at: .epoch + .milliseconds(milliseconds)) { _ in ByteBuffer(string: "size:") }
        }
    }

    private func piece(_ delta: String) -> String { #"{"choices":[{"delta":{\#(delta)}}],"usage":null}"# }

    @Test(
        "Events of a read are one chunk, tokens are counted and timed, and counts come last for who asked",
        arguments: [true, false])
    func reads(includesUsage: Bool) {
        var answer = StreamedAnswer(includesUsage: includesUsage)
        func seen(_ delta: String) -> String {
            let text = piece(delta)
            return "data: " + (includesUsage ? text : text.replacing(#","usage":null"#, with: "")) + "\n\n"
        }
        let (who, first, second) = (#""role":"assistant""#, #""content":"a""#, #""content":" b""#)
        #expect(take(piece(who), at: 1, &answer) == .other)
        #expect(take(piece(first), at: 20, &answer) == .firstToken)
        #expect(answer.takeChunk().map { String(buffer: $0) } == "size:" + seen(who) + seen(first))
        #expect(answer.takeChunk() == nil)
        #expect(take(piece(second), at: 27, &answer) == .token(after: .milliseconds(7)))
        #expect(answer.takeNewTokens() == 2)
        #expect(answer.takeNewTokens() == 0)

        let counts = #"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}"#
        #expect(take(counts, at: 30, &answer) == .other)
        #expect(!answer.isDone)
        #expect(take("[DONE]", at: 31, &answer) == .other)
        // What follows the end is nobody's.
        #expect(take(piece(first), at: 40, &answer) == .other)
        #expect(answer.isDone && answer.tokens == 2 && answer.firstTokenAt == .epoch + .milliseconds(20))
        #expect(answer.promptTokens == 5 && answer.completionTokens == 3)
        #expect(answer.takeChunk().map { String(buffer: $0) } == "size:" + seen(second))
        let last = (includesUsage ? "data: \(counts)\n\n" : "") + "data: [DONE]\n\n"
        #expect(String(decoding: answer.ending, as: UTF8.self) == last)
    }

    @Test("What is no event of this API is told, and nothing of it goes on")
    func unreadable() {
        var answer = StreamedAnswer(includesUsage: false)
        #expect(take("<html>", at: 1, &answer) == .unreadable)
        #expect(answer.takeChunk() == nil && answer.tokens == 0 && !answer.isDone)
    }
}
