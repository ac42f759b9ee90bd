import Testing

@testable import Live

@Suite("JSON that clients send")
struct JSONTreeTests {
    private func read(_ text: String) throws -> JSONTree { try JSONTree(Array(text.utf8)) }

    @Test(
        "Hostile and careless texts are refused",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "{\"a\":1}x", "\"\\ud800\"", "\"\\udc00\"", "\"\u{0}\"", "01", "+1", ".5",
            "1.",
            "1e", "-", "--1", "nul", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "NaN", "Infinity",
        ])
    func refuses(text: String) { #expect(throws: (any Error).self) { try read(text) } }

    @Test("Deep nesting is refused before it can overflow a stack")
    func refusesDepth() throws {
        #expect(throws: (any Error).self) { try read(String(repeating: "[", count: 100_000)) }
        #expect(throws: (any Error).self) { try read(String(repeating: #"{"a":"#, count: 100_000)) }
        _ = try read(String(repeating: "[", count: 32) + String(repeating: "]", count: 32))
    }

    @Test("Bytes that are not UTF-8 are refused")
    func refusesBytes() { #expect(throws: (any Error).self) { try JSONTree([0x22, 0xFF, 0x22]) } }

    @Test("Numbers keep every digit, and a whole number may be written as one that is not")
    func numbers() throws {
        #expect(try read("9223372036854775807").integer == .max)
        #expect(try read("-9223372036854775808").integer == .min)
        #expect(try read("16.0").integer == 16)
        #expect(try read("1e3").integer == 1000)
        #expect(try read("1.5").integer == nil)
        #expect(try read("1e999").double == nil)
        #expect(try read("1e400").integer == nil)
    }
}
