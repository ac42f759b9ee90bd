import Foundation
import Testing
import Units

@testable import Formats

@Suite("Output")
struct OutputTests {
    @Test("JSON has one form: keys by their bytes, the shortest digits that read back, a newline at the end")
    func json() throws {
        let keyed = try CanonicalJSON.encode(["b": 0.1, "a10": 2, "a9": 3, "Z": 4, "é": 5])
        let keys = keyed.split(separator: "\n").filter { $0.contains(" : ") }.map { $0.split(separator: "\"")[1] }
        #expect(keys == ["Z", "a10", "a9", "b", "é"])
        #expect(keyed.hasSuffix("}\n"))
        #expect(keyed.contains("\"b\" : 0.1,\n"))
        let text =
            try CanonicalJSON.encode([[Int64.max, .min]]) + CanonicalJSON.encode(["x/é\"\n", "\(USD("1.50")!)"])
        #expect(text.contains("9223372036854775807"))
        #expect(text.contains("-9223372036854775808"))
        #expect(text.contains("\"x/é\\\"\\n\""))
        #expect(text.contains("\"1.50\""))
    }

    @Test("Doubles survive a round trip through JSON", arguments: [0.1, 1e-300, 123_456_789.123_456_78, 1e22, -0.5])
    func doubles(value: Double) throws {
        let text = try CanonicalJSON.encode([value])
        #expect(try JSONDecoder().decode([Double].self, from: Data(text.utf8)) == [value])
    }

    @Test("A number that JSON cannot hold is refused", arguments: [Double.nan, .infinity])
    func notFinite(value: Double) { #expect(throws: EncodingError.self) { try CanonicalJSON.encode([value]) } }

    @Test("CSV fields are quoted where the standard asks for it, and only there")
    func csv() {
        var csv = CSVWriter(columns: ["a", "b,c"])
        csv.row(["1", "say \"hi\""])
        csv.row(["two\r\nlines", "plain"])
        #expect(csv.text == "a,\"b,c\"\n1,\"say \"\"hi\"\"\"\n\"two\r\nlines\",plain\n")
    }

    @Test("A set of files is written whole, over what was there")
    func atomic() throws {
        let folder = try TemporaryFolder()
        let target = folder.url.path + "/deep/out"
        try AtomicOutput.write([("a.txt", "one"), ("b.txt", "two")], to: target)
        try AtomicOutput.write([("a.txt", "three")], to: target)
        #expect(try String(contentsOfFile: target + "/a.txt", encoding: .utf8) == "three")
        #expect(try FileManager.default.contentsOfDirectory(atPath: target).sorted() == ["a.txt", "b.txt"])
    }

    @Test("A set of which one file cannot be written leaves everything as it was")
    func failure() throws {
        let folder = try TemporaryFolder()
        try folder.write("out/a.txt", "old")
        try folder.write("out/b.txt/in-the-way", "")
        let target = folder.url.path + "/out"
        #expect(throws: OutputError.self) {
            try AtomicOutput.write([("a.txt", "new"), ("b.txt", "new")], to: target)
        }
        #expect(try String(contentsOfFile: target + "/a.txt", encoding: .utf8) == "old")
        #expect(try FileManager.default.contentsOfDirectory(atPath: target).sorted() == ["a.txt", "b.txt"])
    }

    @Test("A folder that cannot be made is an error, and none is left behind")
    func noFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write("file", "")
        #expect(throws: OutputError.self) {
            try AtomicOutput.write([("a.txt", "x")], to: folder.url.path + "/file/out")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["file"])
    }
}
