import Foundation
import Testing

@testable import InferenceCore

@Suite("Tokenizers", .enabled(if: GoldenData.isPresent, Comment(rawValue: GoldenData.missing)))
struct TokenizerTests {
    @Test("A trained model's tokenizer gives the golden ids, from both of its files")
    func stories() throws {
        let json = try Tokenizer(folder: TokenizerFixtures.stories)
        let path = TokenizerFixtures.stories + "/stories260K-f32.gguf"
        let gguf = try Tokenizer(TokenizerData(GGUFFile(path).metadata, file: path), file: path)
        for tokenizer in [json, gguf] {
            #expect(tokenizer.encode("Once upon a time") == [1, 403, 407, 261, 378])
        }
        let golden = try JSONDecoder().decode(
            Prompts.self, from: Data(contentsOf: URL(filePath: TokenizerFixtures.stories + "/golden/golden.json")))
        for (name, ids) in golden.prompts {
            for tokenizer in [json, gguf] {
                #expect(tokenizer.encode(tokenizer.decode(ids)) == ids, "\(name)")
            }
        }
    }

    struct Prompts: Decodable { var prompts: [String: [Int32]] }

    @Test("Scores and merges give the same ids")
    func scoresAndMerges() throws {
        let json = try Tokenizer(folder: TokenizerFixtures.stories)
        let path = TokenizerFixtures.stories + "/stories260K-f32.gguf"
        let gguf = try Tokenizer(TokenizerData(GGUFFile(path).metadata, file: path), file: path)
        var texts = RandomTexts(seed: 11)
        for _ in 0..<2_000 {
            let text = texts.text()
            #expect(json.encode(text) == gguf.encode(text), "\(text.debugDescription)")
        }
    }

    @Test("A byte-level tokenizer gives the golden ids, from both of its files")
    func tiny() throws {
        let path = TokenizerFixtures.tiny + "/model-q8_0.gguf"
        let prompts = try GoldenData.prompts().prompts
        for tokenizer in [
            try Tokenizer(folder: TokenizerFixtures.tiny),
            try Tokenizer(TokenizerData(GGUFFile(path).metadata, file: path), file: path),
        ] {
            let ids = try #require(prompts["text"])
            #expect(tokenizer.encode(tokenizer.decode(ids)) == ids)
            #expect(tokenizer.data.end == 257)
            #expect(tokenizer.data.chatTemplate?.hasPrefix("{% for m in messages %}") == true)
        }
    }

    @Test(
        "SmolLM2 gives the golden ids",
        .enabled(if: TokenizerFixtures.smolIsThere, Comment(rawValue: TokenizerFixtures.smolMissing)))
    func smol() throws {
        struct Golden: Decodable {
            struct Case: Decodable {
                var text: String
                var ids: [Int32]
                var greedy: [Int32]
                var greedyText: String
            }
            var cases: [String: Case]
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let golden = try decoder.decode(
            Golden.self, from: Data(contentsOf: URL(filePath: TokenizerFixtures.smolGolden)))
        let tokenizer = try TokenizerFixtures.smolTokenizer()
        for (name, prompt) in golden.cases {
            #expect(tokenizer.encode(prompt.text) == prompt.ids, "\(name)")
            #expect(tokenizer.decode(prompt.greedy, special: true) == prompt.greedyText, "\(name)")
        }
    }

    @Test(
        "Thousands of random texts get the ids of the tokenizers library",
        .enabled(if: Oracle.isThere, Comment(rawValue: Oracle.missing)))
    func differential() throws {
        var source = RandomTexts(seed: 1)
        let texts = (0..<3_000).map { _ in source.text() }
        var tokenizers = [
            try Tokenizer(folder: TokenizerFixtures.stories), try Tokenizer(folder: TokenizerFixtures.tiny),
        ]
        var specs: [[String: Any]] = [TokenizerFixtures.stories, TokenizerFixtures.tiny].map {
            ["file": $0 + "/tokenizer.json"]
        }
        if TokenizerFixtures.smolIsThere {
            let tokenizer = try TokenizerFixtures.smolTokenizer()
            tokenizers.append(tokenizer)
            let data = tokenizer.data
            specs.append([
                "tokens": data.tokens, "merges": data.merges.map { [$0.left, $0.right] },
                "special": data.tokens.indices.filter { data.types[$0] == .control }.map { data.tokens[$0] },
            ])
        }
        let patterns: [PreTokenizer] = [.llama3, .qwen2]
        let answer = try Oracle.ask([
            "tokenizers": specs, "patterns": patterns.map { $0.pattern! }, "texts": texts,
        ])
        for (index, text) in texts.enumerated() {
            for (tokenizer, ids) in zip(tokenizers, answer.ids) {
                #expect(tokenizer.encode(text, allowing: .all) == ids[index], "\(text.debugDescription)")
            }
            for (pattern, splits) in zip(patterns, answer.splits) {
                #expect(words(pattern, text) == splits[index], "\(pattern) \(text.debugDescription)")
            }
        }
    }

    /// The bytes of each word.
    func words(_ splitter: PreTokenizer, _ text: String) -> [Int] {
        var lengths: [Int] = []
        var start = 0
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            splitter.split(bytes) { end in
                lengths.append(end - start)
                start = end
            }
        }
        return lengths
    }

    @Test("Words cover the text, whatever it is", arguments: PreTokenizer.allCases)
    func cover(splitter: PreTokenizer) {
        var source = RandomTexts(seed: 5)
        for _ in 0..<1_000 {
            let text = source.text()
            let lengths = words(splitter, text)
            #expect(
                lengths.reduce(0, +) == text.utf8.count && lengths.allSatisfy { $0 > 0 }, "\(text.debugDescription)")
        }
    }

    @Test("A byte-level text comes back as it was, whole and token by token")
    func roundTrip() throws {
        let tokenizer = try Tokenizer(folder: TokenizerFixtures.tiny)
        var source = RandomTexts(seed: 3)
        for _ in 0..<1_000 {
            let text = source.text()
            let ids = tokenizer.encode(text, allowing: .none)
            #expect(Array(tokenizer.decode(ids).utf8) == Array(text.utf8), "\(text.debugDescription)")
            var decoder = TokenDecoder(tokenizer)
            var streamed = ids.map { decoder.add($0) }
            #expect(!streamed.contains { $0.contains("\u{FFFD}") }, "\(text.debugDescription)")
            streamed.append(decoder.finish())
            #expect(Array(streamed.joined().utf8) == Array(text.utf8), "\(text.debugDescription)")
        }
    }

    @Test("Any tokens stream to the text they decode to")
    func streaming() throws {
        for folder in [TokenizerFixtures.tiny, TokenizerFixtures.stories] {
            let tokenizer = try Tokenizer(folder: folder)
            var source = RandomTexts(seed: 9)
            for round in 0..<1_000 {
                let ids = (0..<12).map { _ in Int32(source.number(-1..<(tokenizer.vocabulary + 2))) }
                var decoder = TokenDecoder(tokenizer)
                let streamed = ids.map { decoder.add($0) }.joined() + decoder.finish()
                #expect(Array(streamed.utf8) == Array(tokenizer.decode(ids).utf8), "seed 9, round \(round)")
            }
        }
    }

    @Test("A user's text makes no special token unless it may")
    func injection() throws {
        let tokenizer = try Tokenizer(folder: TokenizerFixtures.tiny)
        let text = "a<s>b</s></s"
        #expect(!tokenizer.encode(text).contains { $0 == 256 || $0 == 257 })
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
        #expect(tokenizer.encode(text, allowing: .all).filter { $0 >= 256 && $0 <= 257 } == [256, 257])
        let stories = try Tokenizer(folder: TokenizerFixtures.stories)
        #expect(stories.encode("<unk></s><0x0A>", adds: false).allSatisfy { $0 > 2 && $0 != 13 })
    }

    @Test("The longest added token is the one that is matched")
    func longest() throws {
        var data = TokenizerData(
            algorithm: .byteLevel(.gpt2), tokens: ["a", "b", "<x", "<x>", "<xy>"],
            types: [.normal, .normal, .userDefined, .control, .userDefined])
        data.unknown = 1
        let tokenizer = try Tokenizer(data, file: "made")
        #expect(tokenizer.encode("<x><xy><xa", allowing: .all) == [3, 4, 2, 0])
        #expect(tokenizer.encode("<x><xy>", allowing: .plain) == [2, 4])
        // Bytes that have no token are dropped, and do not become the unknown one.
        #expect(tokenizer.encode("<x>a", allowing: .none) == [0])
    }

    @Test("The heap merges what the scan merges")
    func longWords() throws {
        let data = try Tokenizer(folder: TokenizerFixtures.stories).data
        let tokenizer = try Tokenizer(data, file: "stories")
        var source = RandomTexts(seed: 21)
        for round in 0..<200 {
            // One word without spaces: its ids by merging naively.
            let word = String((0..<source.number(40..<90)).map { _ in "theandwasit".randomLetter(&source) })
            let naive = Naive(data).merge("▁" + word)
            #expect(tokenizer.encode(word, adds: false) == naive, "seed 21, round \(round): \(word)")
        }
    }

    // Merging without the heap would take some 10^10 looks at neighbours.
    @Test("128 KiB of one letter are encoded, and much of nothing but spaces", .timeLimit(.minutes(1)))
    func longWord() throws {
        for folder in [TokenizerFixtures.tiny, TokenizerFixtures.stories] {
            let tokenizer = try Tokenizer(folder: folder)
            for (letter, count) in [("e", 1 << 17), (" ", 1 << 14), ("é", 1 << 13)] {
                let text = String(repeating: letter, count: count)
                #expect(tokenizer.decode(tokenizer.encode(text)) == text)
            }
        }
    }
}

extension String {
    fileprivate func randomLetter(_ source: inout RandomTexts) -> Character {
        Array(self)[source.number(0..<count)]
    }
}

/// Byte-pair encoding as its paper has it: the lowest merge of the whole word, again and again.
private struct Naive {
    var ids: [String: Int32] = [:]
    var ranks: [String: Int] = [:]

    init(_ data: TokenizerData) {
        for (id, token) in data.tokens.enumerated() { ids[token] = Int32(id) }
        for (rank, merge) in data.merges.enumerated() { ranks[merge.left + " " + merge.right] = rank }
    }

    func merge(_ word: String) -> [Int32] {
        var pieces = word.map(String.init)
        while true {
            let pairs = zip(pieces, pieces.dropFirst()).map { ranks["\($0) \($1)"] ?? .max }
            guard let best = pairs.min(), best < .max, let place = pairs.firstIndex(of: best) else { break }
            pieces[place] += pieces.remove(at: place + 1)
        }
        return pieces.compactMap { ids[$0] }
    }
}
