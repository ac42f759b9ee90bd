import Control
import FleetModel
import Foundation
import Scaling
import Simulation
import Testing
import Units

@testable import Formats

@Suite struct JournalFileTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.url.path + "/journal.jsonl"
    }

    /// Records a run of a shipped scenario, cut short.
    @discardableResult private func record(
        _ path: String, policy: String = "hpa", minutes: Int64 = 30
    ) throws -> RunResult {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Scenarios/code-bursts")
        var scenario = try #require(ScenarioReader.check(path: root.path).scenario)
        scenario.duration = .minutes(minutes)
        let journal = try JournalFile(path: path)
        var options = RunOptions()
        options.tap.start = { journal.begin(origin: "a test", policy: $0, limits: $1) }
        options.tap.tick = { journal.append($0, by: $1) }
        let choice = PolicyChoice(label: policy, policy: policy, parameters: [:])
        let result = try Simulation.run(scenario, policy: choice, options: options)
        try journal.close()
        return result
    }

    private func lines() throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// What verification says of these lines.
    private func fault(_ lines: [String], end: String = "\n") throws -> JournalError? {
        let other = folder.url.path + "/other.jsonl"
        try (lines.joined(separator: "\n") + end).write(toFile: other, atomically: true, encoding: .utf8)
        do {
            _ = try JournalVerification.verify(path: other)
            return nil
        } catch let error as JournalError {
            return error
        }
    }

    @Test(arguments: ["static", "schedule", "hpa", "queue-depth", "lookahead"])
    func `a journal of a simulation verifies, compressed too`(policy: String) throws {
        for path in [path, path + ".gz"] {
            let result = try record(path, policy: policy)
            let found = try JournalVerification.verify(path: path)
            #expect(Int64(found.ticks) == result.scaling.decisions && found.ticks > 50)
            #expect(found.header.policy == result.policyFile)
            #expect(found.first == result.start + .seconds(15) || found.first! > result.start)
            _ = try JournalVerification.verify(path: path, policy: result.policyFile)
        }
        let plain = try String(contentsOfFile: path, encoding: .utf8)
        let packed = try InputFile.contents(path: path + ".gz", name: "gz", limit: 1 << 30)
        #expect(Array(plain.utf8) == packed)
    }

    @Test func `the same run writes the same bytes`() throws {
        for name in ["a.jsonl", "b.jsonl", "a.gz", "b.gz"] { try record(folder.url.path + "/" + name) }
        func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: folder.url.path + "/" + name) }
        #expect(bytes("a.jsonl") == bytes("b.jsonl") && bytes("a.gz") == bytes("b.gz"))
        #expect(bytes("a.gz")!.count < bytes("a.jsonl")!.count / 4)
    }

    @Test func `one digit that is another is found, and its line named`() throws {
        try record(path)
        let lines = try lines()
        for number in [0, 1, 17, lines.count - 1] {
            var changed = lines
            var bytes = Array(changed[number].utf8)
            let digit = try #require(bytes.lastIndex { (48...57).contains($0) })
            bytes[digit] = bytes[digit] == 49 ? 50 : 49
            changed[number] = String(decoding: bytes, as: UTF8.self)
            #expect(try fault(changed)?.line == number + 1)
        }
    }

    @Test func `lines that are left out, moved or repeated are found`() throws {
        try record(path)
        let lines = try lines()
        var missing = lines
        missing.remove(at: 9)
        #expect(try fault(missing) == JournalError(path: path.other, line: 10, problem: .fault(.outOfChain)))
        var moved = lines
        moved.swapAt(20, 21)
        #expect(try fault(moved)?.line == 21)
        var twice = lines
        twice.insert(lines[5], at: 5)
        #expect(try fault(twice)?.line == 7)
        #expect(try fault(Array(lines.dropFirst()))?.problem == .fault(.notAJournal(nil)))
    }

    @Test func `hostile files give a line and a reason`() throws {
        try record(path, minutes: 5)
        let lines = try lines()
        #expect(try fault([], end: "")?.problem == .empty)
        #expect(try fault(["[1, 2"])?.problem == .fault(.notAJournal(nil)))
        #expect(try fault(["{\"format\":\"other 3\"}"])?.problem == .fault(.notAJournal("other 3")))
        #expect(try fault(["{\"format\":\"tidegate journal 1\"}"])?.line == 1)
        let cut = String(lines[3].dropLast(200))
        #expect(try fault(Array(lines[..<3]) + [cut], end: "")?.problem == .cutShort)
        #expect(try fault(Array(lines[..<3]) + [cut] + lines[4...])?.line == 4)
        let typed = lines[3].replacing("\"sequence\":3", with: "\"sequence\":\"three\"")
        #expect(
            try fault(Array(lines[..<3]) + [typed])?.problem
                == .unreadable("record.sequence: a value of the wrong kind"))
        #expect(try fault(Array(lines[..<3]) + [""])?.line == 4)
        #expect(try fault(Array(lines[..<3]) + [String(repeating: "[", count: 100_000)])?.line == 4)
        let spaced = lines[3].replacing("\"hash\":", with: "\"hash\": ")
        #expect(try fault(Array(lines[..<3]) + [spaced])?.problem == .fault(.notCanonical))
        let more = lines[3].replacing("{\"hash\"", with: "{\"extra\":1,\"hash\"")
        #expect(try fault(Array(lines[..<3]) + [more])?.problem == .fault(.notCanonical))
        let huge = String(repeating: "x", count: 3_000_000)
        try (Array(lines[..<3]) + [huge]).joined(separator: "\n").write(
            toFile: path, atomically: true, encoding: .utf8)
        do {
            _ = try JournalVerification.verify(path: path)
            Issue.record("a line of 3 MB passes")
        } catch let error as InputError {
            #expect(error.line == 4)
        }
    }

    @Test func `another policy than the one in the header is told`() throws {
        let result = try record(path, minutes: 5)
        let other = try PolicyFile(try PolicyCatalog.policy(named: "queue-depth", parameters: [:]))
        do {
            _ = try JournalVerification.verify(path: path, policy: other)
            Issue.record("another policy passes")
        } catch let error as JournalError {
            #expect(error.line == 1 && error.description.contains(result.policyFile.digest))
        }
    }
}

extension String {
    fileprivate var other: String { replacing("journal.jsonl", with: "other.jsonl") }
}

@Suite struct StreamedFileTests {
    @Test func `nothing is there before the end, and nothing hidden after it`() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/deep/er/out.txt"
        let file = try StreamedFile(path: path)
        for _ in 0..<100_000 { file.append("a line of text\n") }
        #expect(!FileManager.default.fileExists(atPath: path))
        try file.close()
        #expect(try String(contentsOfFile: path, encoding: .utf8).count == 1_500_000)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/deep/er") == ["out.txt"])
        file.append("lost")
        try file.close()
    }

    @Test func `a file that is given up leaves nothing, not even the folders made for it`() throws {
        let folder = try TemporaryFolder()
        do {
            let file = try StreamedFile(path: folder.url.path + "/deep/er/out.txt")
            file.append("text")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    @Test func `what cannot be written is told when it is opened`() throws {
        let folder = try TemporaryFolder()
        try folder.write("file", "")
        try folder.write("taken/inside", "")
        for name in ["file/out.txt", "taken", "taken/"] {
            #expect(throws: OutputError.self) { try StreamedFile(path: folder.url.path + "/" + name) }
            #expect(throws: OutputError.self) { try StreamedFile(path: "") }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["file", "taken"])
    }

    @Test func `a folder is checked before the work, and left as it was`() throws {
        let folder = try TemporaryFolder()
        try folder.write("file", "")
        try folder.write("out/a.txt/in-the-way", "")
        let path = folder.url.path
        try AtomicOutput.check(["a.txt"], in: path + "/deep/er")
        #expect(throws: OutputError.self) { try AtomicOutput.check(["a.txt"], in: path + "/file/out") }
        #expect(throws: OutputError.self) { try AtomicOutput.check(["a.txt"], in: path + "/out") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == ["file", "out"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/out") == ["a.txt"])
    }
}
