import Foundation
import Testing
import Units
import Workload

@testable import Formats

@Suite("Hostile traces")
struct HostileTraceTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func problem(_ bytes: some Sequence<UInt8>, format: TraceFormat? = nil) throws -> InputError {
        let path = try folder.write("trace", bytes)
        do {
            let trace = try TraceFile.read(path: path, name: "trace", format: format)
            Issue.record("read \(trace.records.count) records")
            return InputError(file: "", problem: .empty)
        } catch let error as InputError { return error }
    }

    private static let header = "offset_s,prompt_tokens,output_tokens\n"

    @Test(
        "A wrong line is told with its line and column",
        arguments: [
            ("1,10,0\n", 2, 6), ("0,5,5\n\n1,x,5\n", 4, 3), ("-1,5,5\n", 2, 1), ("0,5\n", 2, 4), ("0,5,5,5\n", 2, 6),
            ("0,99999999999999999999,5\n", 2, 3), ("0,2147483648,5\n", 2, 3), ("1e3,5,5\n", 2, 2), ("0.,5,5\n", 2, 1),
            ("9999999999999,5,5\n", 2, 1), ("0,5,5\0\n", 2, 6), ("2,5,5\n1,5,5\n", 3, 1), (" 0,5,5\n", 2, 1),
        ] as [(String, Int, Int)])
    func wrongLines(body: String, line: Int, column: Int) throws {
        let error = try problem((Self.header + body).utf8)
        #expect(error.file == "trace")
        #expect((error.line, error.column) == (line, column), "\(error)")
    }

    @Test(
        "A wrong Azure or Mooncake record is told with its line",
        arguments: [
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-02-30 00:00:00,1,1\n", 2),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 25:00:00,1,1\n", 2),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,1,1\n2023-11-16 18:15:4", 3),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n", 0),
            ("{\"timestamp\": 0, \"input_length\": 1}\n", 1),
            ("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n{\"timestamp\": 1, \"inp", 2),
            ("{\"timestamp\": -5, \"input_length\": 1, \"output_length\": 1}\n", 1),
            ("{\"hash_ids\": " + String(repeating: "[", count: 100_000) + "\n", 1),
            ("{\"a\": ]}\n", 1), ("{\"a\\", 1), ("{}", 1), ("{\"timestamp\" 0}", 1),
        ] as [(String, Int)])
    func wrongRecords(text: String, line: Int) throws { #expect(try problem(text.utf8).line == line) }

    @Test("A truncated gzip trace is an error, not a shorter trace")
    func truncatedGzip() throws {
        let body = (0..<20_000).map { "\($0),\($0 % 977 + 1),\($0 % 31 + 1)\n" }.joined()
        let whole = Gzip.compress(Array((Self.header + body).utf8))
        let path = try folder.write("whole", whole)
        #expect(try TraceFile.read(path: path).records.count == 20_000)
        for length in [2, 9, 10, 11, 500, whole.count / 2, whole.count - 9, whole.count - 1] {
            #expect(try problem(whole.prefix(length)).problem == .truncated, "cut at \(length)")
        }
    }

    @Test("A flipped bit in a gzip trace is an error")
    func damagedGzip() throws {
        let body = (0..<5_000).map { "\($0),\($0 % 977 + 1),\($0 % 31 + 1)\n" }.joined()
        var bytes = Gzip.compress(Array((Self.header + body).utf8))
        bytes[bytes.count - 6] ^= 1  // In the CRC: every byte of the content is right.
        guard case .corrupt = try problem(bytes).problem else {
            Issue.record("the damage went unseen")
            return
        }
    }

    @Test("Gzip members in a row read as one file")
    func members() throws {
        let bytes = Gzip.compress(Array(Self.header.utf8)) + Gzip.compress(Array("0,1,1\n".utf8))
        #expect(try TraceFile.read(path: try folder.write("two", bytes)).records.count == 1)
    }

    @Test("A gzip file that inflates to one endless line is refused at the limit, not held")
    func inflationBomb() throws {
        let bytes = Gzip.compress([UInt8](repeating: UInt8(ascii: "0"), count: 8_000_000))
        #expect(bytes.count < 20_000)
        #expect(try problem(bytes).problem == .lineTooLong(limit: LineScanner.longestLine))
    }

    @Test("A line of a million characters is an error with its line")
    func longLine() throws {
        let error = try problem((Self.header + "0,1,1\n" + String(repeating: "7", count: 1_000_000) + "\n0,1,1\n").utf8)
        #expect(error.problem == .lineTooLong(limit: LineScanner.longestLine))
        #expect(error.line == 3)
    }

    @Test("Noise of any kind is an error, never a crash", arguments: 0..<200)
    func noise(seed: Int) throws {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        func random() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        var bytes = (0..<Int(random() % 2000 + 1)).map { _ in UInt8(truncatingIfNeeded: random()) }
        switch seed % 4 {
        case 0: break
        case 1: bytes = Array(Self.header.utf8) + bytes
        case 2: bytes = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3] + bytes
        default: bytes = Array("{\"timestamp\":0,\"input_length\":1,\"output_length\":1".utf8) + bytes
        }
        _ = try problem(bytes)
        for format in TraceFormat.allCases { _ = try problem(bytes, format: format) }
    }

    @Test("A byte order mark, CR LF and a last line without an end are read")
    func lineEnds() throws {
        let text = "\u{FEFF}offset_s,prompt_tokens,output_tokens\r\n0.5,3,4\r\n1.000000001,5,6"
        let trace = try TraceFile.read(path: try folder.write("t", text))
        #expect(trace.format == .csv)
        #expect(
            trace.records == [
                TraceRecord(offset: .zero, promptTokens: 3, outputTokens: 4),
                TraceRecord(offset: TimeSpan(nanoseconds: 500_000_001), promptTokens: 5, outputTokens: 6),
            ])
    }

    @Test("Lines are found whatever chunk they fall in", arguments: [1, 7, 255, 1000])
    func chunks(width: Int) throws {
        let count = 600_000 / (width + 8)
        let text = (0..<count).map { i in String(repeating: "x", count: width) + ",\(i)" }.joined(separator: "\n")
        let lines = try LineScanner(path: try folder.write("lines", text), name: "lines")
        var seen = 0
        while let line = try lines.next() {
            try #require(line.count == width + 1 + String(seen).utf8.count)
            seen += 1
        }
        #expect(seen == count)
    }

    @Test("A missing file, a folder, and a file without a record are errors")
    func nothingToRead() throws {
        #expect(throws: InputError.self) { try TraceFile.read(path: folder.url.path + "/none") }
        #expect(throws: InputError.self) { try TraceFile.read(path: folder.url.path) }
        #expect(try problem([]).problem == .empty)
        #expect(try problem(Self.header.utf8).problem == .empty)
        #expect(try problem("a,b,c\n".utf8).problem == .unknownFormat(known: ["azure", "mooncake", "csv"]))
    }
}
