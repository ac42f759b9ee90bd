import Foundation
import Testing

@testable import InferenceCore

@Suite("Tokenizer files")
struct TokenizerFileTests {
    static let good = """
        {"added_tokens":[{"id":4,"content":"<s>","special":true}],"normalizer":null,
        "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"post_processor":null,
        "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"c":3},"merges":["a b"]}}
        """

    func tokenizer(_ text: String) throws(ModelFileError) -> Tokenizer {
        try Tokenizer(TokenizerData(json: Array(text.utf8), file: "t.json"), file: "t.json")
    }

    @Test("A small file is read")
    func good() throws {
        let tokenizer = try tokenizer(Self.good)
        #expect(tokenizer.encode("abcab") == [2, 3, 2])
        #expect(tokenizer.encode("<s>ab", allowing: .all) == [4, 2])
    }

    @Test(
        "A wrong file is refused, and the error says where",
        arguments: [
            (#""b":1"#, #""b":0"#, "gives the id 0 to 'b', and before to 'a'"),
            (#""b":1"#, #""b":999999999"#, "beyond"), (#""b":1"#, #""b":-1"#, "beyond"),
            (#""b":1"#, #""b":1.5"#, "no whole"), (#""b":1"#, #""a":1"#, "is 'a', as a token before it"),
            (#"["a b"]"#, #"["a x"]"#, "names 'x', which is no token"),
            (#"["a b"]"#, #"["b a"]"#, "makes 'ba', which is no token"), (#"["a b"]"#, #"["ab"]"#, "not two tokens"),
            (#"["a b"]"#, #"[["a","b","c"]]"#, "more than two"), (#""id":4"#, #""id":2"#, "gives the id 2 to '<s>'"),
            ("\"BPE\"", "\"Unigram\"", "only BPE"),
            ("\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", "Lowercase"),
            ("\"use_regex\":true", "\"use_regex\":false", "ByteLevel"), ("\"a\":0", "\"a\\u0zzz\":0", "four digits"),
            ("\"a\":0", "\"a\\ud800\":0", "surrogate"), ("\"a\":0", "\"a\u{0}\":0", "control character 0"),
            ("\"special\":true", "\"special\":true,\"lstrip\":true", "lstrip"),
        ])
    func wrong(good: String, bad: String, problem: String) {
        let text = Self.good.replacingOccurrences(of: good, with: bad)
        #expect(text != Self.good)
        let error = #expect(throws: ModelFileError.self) { _ = try tokenizer(text) }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        #expect(error?.part != nil)
    }

    @Test("Nesting without end, a string that is not UTF-8 and a token without end are refused")
    func hostile() {
        for bytes in [
            [UInt8](repeating: 0x5B, count: 1 << 20),
            Array("{\"model\":".utf8) + [UInt8](repeating: 0x5B, count: 1 << 20),
            Array("{\"x".utf8) + [0xFF, 0xFE] + Array("\":1}".utf8), [0], [],
        ] {
            #expect(throws: ModelFileError.self) { _ = try TokenizerData(json: bytes, file: "t.json") }
        }
        let long = Self.good.replacingOccurrences(of: "\"c\"", with: "\"" + String(repeating: "c", count: 2_000) + "\"")
        #expect(throws: ModelFileError.self) { _ = try tokenizer(long) }
    }

    @Test("A file cut anywhere is refused")
    func truncated() {
        let bytes = Array(Self.good.utf8)
        for length in 0..<bytes.count {
            #expect(throws: ModelFileError.self, "cut at \(length)") {
                _ = try TokenizerData(json: Array(bytes[..<length]), file: "t.json")
            }
        }
    }

    @Test(
        "A mutated file gives a tokenizer that works or a typed error, and never a crash",
        .enabled(if: GoldenData.isPresent, Comment(rawValue: GoldenData.missing)))
    func mutated() throws {
        let count = ProcessInfo.processInfo.environment["TIDEGATE_MUTATIONS"].flatMap { Int($0) } ?? 300
        let files = try [TokenizerFixtures.tiny, TokenizerFixtures.stories].map {
            [UInt8](try Data(contentsOf: URL(filePath: $0 + "/tokenizer.json")))
        }
        let inserts = [
            "\"", "{", "}", "[", "]", ",", "\\u0000", "-1", "99999999999999999999", "null", "\u{0}", "é", "\\",
        ]
        var (accepted, refused) = (0, 0)
        for seed in 0..<count {
            var source = RandomTexts(seed: UInt64(seed))
            var bytes = files[seed % files.count]
            for _ in 0..<source.number(1..<4) {
                let place = source.number(0..<bytes.count)
                switch source.number(0..<5) {
                case 0: bytes[place] ^= 1 << UInt8(source.number(0..<8))
                case 1: bytes[place] = UInt8(source.number(0..<256))
                case 2: bytes.removeSubrange(place..<min(bytes.count, place + source.number(1..<40)))
                case 3: bytes.insert(contentsOf: inserts[source.number(0..<inserts.count)].utf8, at: place)
                default:
                    let end = min(bytes.count, place + source.number(1..<200))
                    bytes.insert(contentsOf: bytes[place..<end], at: source.number(0..<bytes.count))
                }
            }
            do {
                let tokenizer = try Tokenizer(TokenizerData(json: bytes, file: "t.json"), file: "t.json")
                let ids = tokenizer.encode("Once upon a time, 漢字 <s>", allowing: .all)
                #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabulary }, "seed \(seed)")
                _ = tokenizer.decode(ids)
                accepted += 1
            } catch {
                refused += 1
            }
        }
        #expect(accepted > 0 && refused > accepted / 10, "\(accepted) accepted, \(refused) refused")
    }
}
