import Testing
import Units

@testable import Formats

@Suite("YAML")
struct YAMLTests {
    private func diagnostics(_ bytes: some Sequence<UInt8>) -> [String] {
        let log = DiagnosticLog()
        _ = TextFile.yaml(Array(bytes), name: "f", log: log)
        return log.diagnostics.map { "\($0.line):\($0.column) \($0.message)" }
    }

    @Test("Every repeated key, anchor, alias and tag of a file is told, at its place")
    func refusals() {
        let text = """
            a: 1
            b: &x {c: 1, c: 2}
            a: 3
            d: *x
            e: !!int 4
            [f]: 5
            """
        #expect(
            diagnostics(text.utf8) == [
                "2:4 an anchor or an alias is not read", "2:14 key 'c' is given twice in this map; first on line 2",
                "3:1 key 'a' is given twice in this map; first on line 1", "4:4 an anchor or an alias is not read",
                "5:4 a tag is not read", "6:1 a key is a list",
            ])
    }

    @Test("An alias bomb costs no more than its bytes")
    func aliasBomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let references = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(references)]\n"
        }
        text += "? *a9\n: 1\n"
        #expect(diagnostics(text.utf8).count == 102)
    }

    @Test("Nesting beyond the limit is told where it passes it", arguments: [33, 1000, 200_000])
    func depth(levels: Int) {
        #expect(
            diagnostics(String(repeating: "[", count: levels).utf8).first?.contains("nested deeper than 32") == true,
            "\(diagnostics(String(repeating: "[", count: levels).utf8))")
        #expect(
            diagnostics(String(repeating: "- ", count: levels).utf8).first?.contains("nested deeper than 32") == true,
            "\(diagnostics(String(repeating: "[", count: levels).utf8))")
    }

    @Test("More values than the limit are refused")
    func nodeCap() {
        let text = "[" + String(repeating: "1,", count: YAMLComposer.mostNodes) + "]"
        #expect(diagnostics(text.utf8).first?.contains("more than 100000 values") == true)
    }

    @Test(
        "What is not YAML text is told with a place",
        arguments: [
            ([UInt8]("a: 1\nb: \0\n".utf8), "2:4 not text: control characters are not allowed"),
            ([0xFF, 0xFE, 0x00], "1:1 the file is not UTF-8 text"), ([], "1:1 the file is empty"),
            ([UInt8]("a: [1\nb: 2".utf8), nil), ([UInt8]("a: b: c".utf8), nil), ([UInt8]("\ta: 1".utf8), nil),
            ([UInt8]("a: 1\n--- \nb: 2".utf8), "2:1 a second document starts here"),
        ] as [([UInt8], String?)])
    func notYAML(bytes: [UInt8], expected: String?) throws {
        let found = diagnostics(bytes)
        try #require(found.count == 1, "\(found)")
        if let expected { #expect(found[0] == expected) } else { #expect(found[0].contains("not YAML")) }
    }

    @Test("A byte order mark and CR LF are read")
    func marks() {
        let log = DiagnosticLog()
        let (root, file) = TextFile.yaml(Array("\u{FEFF}a: 1\r\nb: 2\r\n".utf8), name: "f", log: log)!
        let map = MapReader(root, what: "file", in: file)
        #expect(map.optional("a", .text) == "1")
        #expect(map.optional("b", .text) == "2")
        #expect(!log.hasErrors)
    }

    @Test("A million characters in a line are read as what they are")
    func longScalar() {
        let log = DiagnosticLog()
        let bytes = Array(("a: " + String(repeating: "x", count: 1_000_000)).utf8)
        let (root, file) = TextFile.yaml(bytes, name: "f", log: log)!
        #expect(MapReader(root, what: "file", in: file).optional("a", .duration) == nil)
        #expect(log.diagnostics.first!.message.count < 200)
    }

    @Test("A file above the limit is refused before it is parsed")
    func largeFile() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "big.yaml", [UInt8](repeating: UInt8(ascii: "a"), count: YAMLComposer.largestFile + 1))
        let log = DiagnosticLog()
        #expect(TextFile.yaml(path: path, name: "big.yaml", log: log) == nil)
        #expect(log.diagnostics.map(\.message) == ["the file is larger than 1048576 bytes"])
    }

    @Test("A key that does not exist is told with the nearest one that does")
    func unknownKey() {
        let log = DiagnosticLog()
        let (root, file) = TextFile.yaml(Array("sed: 1\ntick: 90\n".utf8), name: "f.yaml", log: log)!
        _ = file.map(root, what: "control") { map in
            _ = map.optional("seed", .seed)
            _ = map.optional("tick", .duration)
            return ()
        }
        #expect(
            log.diagnostics.map(\.description) == [
                "f.yaml:1:1: error: control has no key 'sed'\n    keys: seed, tick; nearest name: 'seed'",
                "f.yaml:2:7: error: tick '90' has no unit\n"
                    + "    write a duration with its unit, for example '90s' or '1m30s'",
            ])
    }
}

@Suite("Scalars")
struct ScalarTests {
    private func value<V>(_ text: String, _ schema: ScalarSchema<V>) -> V? { try? schema.read(text).get() }
    private func reason<V>(_ text: String, _ schema: ScalarSchema<V>) -> String? {
        guard case .failure(let refusal) = schema.read(text) else { return nil }
        return refusal.reason
    }

    @Test(
        "Counts take a suffix when they stay whole",
        arguments: [
            ("14k", 14_000), ("1.5k", 1500), ("2M", 2_000_000), ("7", 7), ("1.0005k", nil), ("1.5", nil), ("k", nil),
            ("99999999999999999999", nil), ("9e3", nil), ("0x10", nil), ("010", 10), ("9999999999999999k", nil),
            ("", nil), ("1_000", nil), ("+5", nil),
        ] as [(String, Int64?)])
    func counts(text: String, expected: Int64?) { #expect(value(text, .count(0...(.max))) == expected) }

    @Test("Percentages carry their sign, rates their time")
    func estimates() {
        #expect(value("99.9%", .percentage()) == 0.999)
        #expect(reason("0.99", .percentage()) == "has no percent sign")
        #expect(reason("101%", .percentage()) == "is out of range")
        #expect(value("12/s", .rate) == 12)
        #expect(value("12 rps", .rate) == 12)
        #expect(value("720/m", .rate) == 12)
        #expect(reason("12", .rate) == "has no unit")
        #expect(reason("-3/s", .rate) == "is negative")
        #expect(reason("nan/s", .rate) == "is no rate")
        #expect(value("3653d", .duration) == .hours(24 * 3653))
        #expect(reason("3654d", .duration) == "is longer than ten years")
    }

    @Test(
        "Words that YAML would take for something else stay words",
        arguments: ["no", "on", "1e400", "inf", "0x1p3", "nan"])
    func words(text: String) {
        #expect(value(text, .flag) == nil)
        #expect(value(text, .number(-1e308...1e308, example: "1")) == nil)
    }

    @Test("Spending states its unit")
    func spending() {
        #expect(value("120 USD/h", .spending) == USDPerHour("120"))
        #expect(value("120USD/h", .spending) == USDPerHour("120"))
        #expect(value("120", .spending) == nil)
        #expect(value("-1 USD/h", .spending) == nil)
    }

    @Test(
        "The nearest name is near", arguments: [("chat-h10", "chat-h100"), ("hcat-h100", "chat-h100"), ("zebra", nil)])
    func nearest(name: String, expected: String?) {
        #expect(NearestName.of(name, among: ["chat-h100", "chat-h200", "batch"]) == expected)
    }
}
